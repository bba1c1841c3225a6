//! The audit log, on every store: written with what it tells of, and found out when it is altered.

use std::sync::Arc;
use std::time::Duration;

use pqc_core::audit::{Actor, Checkpoint, Entry, Finding, Report};
use pqc_core::token::{Demand, Operation};
use pqc_core::{Secret, Timestamp, TokenId};
use pqc_service::audit::{AuditFilter, Event, Use, WrittenDown, line};
use pqc_service::tokens::MintRequest;
use pqc_service::{By, Custody, Error, Service, Settings, Store, System};
use tokio::task::JoinSet;

use crate::ground::{Ground, on_every_ground};
use crate::support::{
    account, account_id, add_account, attempts_left, hash, key_pair, root, temporary, token_id,
};

/// All that is written down, in the order of one chain after the other.
async fn entries(store: &(impl Store + ?Sized)) -> Vec<Entry> {
    let rows = store.audit_rows(None, 10_000).await.unwrap();
    rows.into_iter().map(|(_, entry)| entry).collect()
}

async fn acts(store: &(impl Store + ?Sized)) -> Vec<String> {
    entries(store).await.into_iter().map(|entry| entry.act.into_owned()).collect()
}

fn usage() -> Event {
    Event { account: Some(account_id(1)), ..Event::done("sign") }
}

#[tokio::test]
async fn every_change_is_written_down_with_who_made_it() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let id = account_id(1);
        let by = By::token(TokenId::from_bytes([9; 16]), Some("a-request".to_owned()));
        store.insert_token(&by, temporary(1, 1, 3)).await.unwrap();
        assert!(store.mint_token(&by, temporary(1, 2, 3), token_id(0)).await.unwrap());
        store.spend(&by, &hash(1, 1), usage()).await.unwrap().unwrap();
        assert!(store.revoke_token(&by, id, token_id(1)).await.unwrap());
        store.set_custody(&by, id, Custody::Client).await.unwrap();
        store.set_disabled(&by, id, true).await.unwrap();
        store.set_disabled(&by, id, false).await.unwrap();
        assert!(store.insert_key(&by, key_pair(1, 1)).await.unwrap());
        assert!(store.destroy_key(&by, id, &key_pair(1, 1).id).await.unwrap());
        let since = Timestamp::from_millis(0);
        assert!(store.undestroy_key(&by, id, &key_pair(1, 1).id, since).await.unwrap());
        store.replace_root_token(&by, root(1, 9), None, true).await.unwrap();

        let written = entries(&*store).await;
        let acts: Vec<_> = written.iter().map(|entry| &*entry.act).collect();
        let expected = [
            "account.create",
            "token.mint",
            "token.mint",
            "sign",
            "token.revoke",
            "account.set_custody",
            "account.disable",
            "account.enable",
            "key.generate",
            "key.destroy",
            "key.undelete",
            "token.reset",
        ];
        assert_eq!(acts, expected);
        for (n, entry) in written.iter().enumerate() {
            assert_eq!(entry.account, Some(id), "{entry:?}");
            assert_eq!(entry.outcome, "done");
            let by = if n == 0 { By::OPERATOR } else { by.clone() };
            assert_eq!((entry.actor, &entry.request_id), (by.actor, &by.request_id), "{entry:?}");
        }
        assert_eq!(written[4].token, Some(token_id(1)));
        assert_eq!(written[9].key, Some(key_pair(1, 1).id));
        assert_eq!(written[5].detail.as_deref(), Some("client"));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_not_done_is_not_written_down() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        store.insert_token(&By::SERVER, temporary(1, 1, 1)).await.unwrap();
        let before = acts(&*store).await;
        let by = &By::SERVER;
        // The name is taken; no such root token; no such key; no such token.
        assert!(!store.create_account(by, account(1), root(1, 7)).await.unwrap());
        assert!(!store.mint_token(by, temporary(1, 8, 1), token_id(77)).await.unwrap());
        assert!(!store.destroy_key(by, account_id(1), &key_pair(1, 5).id).await.unwrap());
        assert!(store.spend(by, &hash(1, 55), usage()).await.unwrap().is_err());
        // One that is taken is an error, and the others of its batch go on.
        store.insert_token(by, temporary(1, 1, 1)).await.unwrap_err();
        assert_eq!(acts(&*store).await, before);
        store.spend(by, &hash(1, 1), usage()).await.unwrap().unwrap();
        assert!(store.spend(by, &hash(1, 1), usage()).await.unwrap().is_err());
        assert_eq!(acts(&*store).await.len(), before.len() + 1);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done_and_is_done_when_it_can() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        store.insert_token(&By::SERVER, temporary(1, 1, 3)).await.unwrap();
        let full = (
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
            "CREATE FUNCTION full_log() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER full_log BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION full_log()",
        );
        ground.execute(full.0, full.1).await;
        let refused = store.spend(&By::SERVER, &hash(1, 1), usage()).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        let refused = store.insert_key(&By::SERVER, key_pair(1, 1)).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        let refused = store.record(&By::SERVER, usage()).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(3));
        assert!(store.key(account_id(1), &key_pair(1, 1).id).await.unwrap().is_none());

        ground.execute("DROP TRIGGER full", "DROP TRIGGER full_log ON audit").await;
        store.spend(&By::SERVER, &hash(1, 1), usage()).await.unwrap().unwrap();
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(2));
        assert_eq!(acts(&*store).await, ["account.create", "token.mint", "sign"]);
        store.close().await;
    })
    .await;
}

/// A service, its store, and the account `alice`.
struct Lab {
    service: Arc<Service>,
    store: Arc<dyn Store>,
    root: String,
}

impl Lab {
    async fn new(ground: &Ground) -> Self {
        let (service, store) = open(ground).await;
        let pending = service.prepare_account("alice", Custody::Server).await.unwrap();
        let root = service.create_account(&By::OPERATOR, pending).await.unwrap();
        Self { service, store, root: root.expose_text().to_string() }
    }

    /// Mints a token of many attempts and uses some of them.
    async fn work(&self, uses: usize) {
        let account = self.service.account("alice").await.unwrap().id;
        let request = MintRequest { attempts: Some(1000), ..MintRequest::default() };
        let token = self.service.mint_for(&By::OPERATOR, account, request).await.unwrap();
        for _ in 0..uses {
            self.use_once(&token.value.expose_text(), WrittenDown::IfAll).await;
        }
    }

    async fn use_once(&self, token: &str, written_down: WrittenDown) {
        let caller = self.service.authenticate(token).await.unwrap();
        let authorized = caller.authorize(Demand::Operation(Operation::Sign)).unwrap();
        self.service.spend(authorized, Use::new("sign", written_down)).await.unwrap();
    }

    async fn verify(&self, kept: &[Checkpoint]) -> Report {
        let mut export = Vec::new();
        self.service.export_audit(&mut export).await.unwrap();
        let keys = self.service.checkpoint_keys().await.unwrap();
        line::verify(&mut &*export, keys, kept).unwrap().report
    }
}

async fn open(ground: &Ground) -> (Arc<Service>, Arc<dyn Store>) {
    let store: Arc<dyn Store> = ground.open().await;
    let (host, key) = (Arc::new(System), Secret::from([7; 32]));
    let service = Service::open(Arc::clone(&store), host, key, Settings::default()).await.unwrap();
    (Arc::new(service), store)
}

#[tokio::test]
async fn a_log_that_nobody_altered_is_whole_whoever_wrote_it() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        lab.work(5).await;
        assert!(lab.service.checkpoint().await.unwrap().is_some());
        assert!(lab.service.checkpoint().await.unwrap().is_none(), "nothing new");
        // Another process on the same store has a chain of its own.
        let (other, store) = open(&ground).await;
        let account = other.account("alice").await.unwrap().id;
        other.mint_for(&By::OPERATOR, account, MintRequest::default()).await.unwrap();
        let report = lab.verify(&[]).await;
        assert_eq!((report.findings, report.chains, report.uncovered), (vec![], 2, 1));
        assert!(other.checkpoint().await.unwrap().is_some());
        let kept = lab.store.last_checkpoint().await.unwrap().unwrap();
        lab.work(3).await;
        assert!(lab.service.checkpoint().await.unwrap().is_some());
        let report = lab.verify(&[kept]).await;
        assert_eq!((report.findings, report.chains, report.uncovered), (vec![], 2, 0));
        assert_eq!(report.checkpoints, 3);
        store.close().await;
        lab.store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_asked_goes_through_its_log_itself() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        lab.work(20).await;
        assert!(lab.service.checkpoint().await.unwrap().is_some());
        let patience = Duration::from_secs(60);
        let state = lab.service.log_state(patience).await.unwrap();
        assert_eq!(state.report, lab.verify(&[]).await);
        assert_eq!((&*state.report.findings, state.report.uncovered), (&[][..], 0));
        // What was found is told for a while, whatever happens meanwhile; another server looks anew.
        let remove = "DELETE FROM audit WHERE number = 7";
        ground.execute(remove, remove).await;
        assert_eq!(lab.service.log_state(patience).await.unwrap(), state);
        let (other, store) = open(&ground).await;
        let found = other.log_state(patience).await.unwrap().report.findings;
        let missing =
            |finding: &Finding| matches!(finding, Finding::MissingRows { from: 7, to: 7, .. });
        assert!(found.iter().any(missing), "{found:?}");
        store.close().await;
        lab.store.close().await;
    })
    .await;
}

#[tokio::test]
async fn entries_are_found_page_by_page_in_a_long_log() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        lab.work(1).await;
        let account = lab.service.account("alice").await.unwrap().id;
        let signed = Event { account: Some(account), ..Event::done("sign") };
        let mut writers = JoinSet::new();
        for _ in 0..599 {
            let (store, signed) = (Arc::clone(&lab.store), signed.clone());
            writers.spawn(async move { store.record(&By::OPERATOR, signed).await.unwrap() });
        }
        writers.join_all().await;
        let mint = AuditFilter { act: "token.mint".into(), ..AuditFilter::default() };
        let found = lab.service.find_in_audit(account, &mint, None, 10).await.unwrap();
        assert_eq!((found.entries.len(), found.rest), (1, None));
        let signed = AuditFilter { act: "sign".into(), ..AuditFilter::default() };
        let (mut before, mut numbers) = (None, Vec::new());
        loop {
            let found = lab.service.find_in_audit(account, &signed, before, 500).await.unwrap();
            numbers.extend(found.entries.iter().map(|row| row.number));
            before = found.rest;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(numbers.len(), 600);
        assert!(numbers.is_sorted_by(|a, b| a > b));
        lab.store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_servers_under_load_leave_one_whole_log() {
    on_every_ground(async |ground: Ground| {
        let mut labs = vec![Arc::new(Lab::new(&ground).await)];
        for _ in 0..3 {
            let (service, store) = open(&ground).await;
            let root = labs[0].root.clone();
            labs.push(Arc::new(Lab { service, store, root }));
        }
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let lab = Arc::clone(&labs[n % 4]);
            tasks.spawn(async move {
                for _ in 0..5 {
                    lab.work(5).await;
                    lab.service.checkpoint().await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        for lab in &labs {
            lab.service.checkpoint().await.unwrap();
        }
        let report = labs[0].verify(&[]).await;
        assert_eq!((report.findings, report.chains, report.uncovered), (vec![], 4, 0));
        assert!(report.rows >= 16 * 5 * 6, "{}", report.rows);
        for lab in labs {
            lab.store.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_altered_in_the_database_is_found() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        lab.work(20).await;
        let kept = lab.service.checkpoint().await.unwrap().unwrap();
        assert_eq!(lab.verify(std::slice::from_ref(&kept)).await.findings, []);
        let again = "INSERT INTO audit (chain, number, account, entry, hash) \
             SELECT chain, number, account, entry, hash FROM kept_row";
        for (alter, undo) in [
            // Removed, and all but the first removed.
            ("DELETE FROM audit WHERE number = 7", again),
            // Changed, as far as one can in one statement.
            (
                "UPDATE audit SET entry = (SELECT entry FROM audit WHERE number = 1) \
                 WHERE number = 7",
                "UPDATE audit SET entry = (SELECT entry FROM kept_row) WHERE number = 7",
            ),
            (
                "UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 5) \
                 WHERE number = 7",
                "UPDATE audit SET hash = (SELECT hash FROM kept_row) WHERE number = 7",
            ),
            // Put elsewhere.
            (
                "UPDATE audit SET number = 777 WHERE number = 7",
                "UPDATE audit SET number = 7 WHERE number = 777",
            ),
        ] {
            let keep = "CREATE TABLE kept_row AS SELECT * FROM audit WHERE number = 7";
            ground.execute(keep, keep).await;
            ground.execute(alter, alter).await;
            assert_ne!(lab.verify(&[]).await.findings, [], "{alter}");
            ground.execute(undo, undo).await;
            ground.execute("DROP TABLE kept_row", "DROP TABLE kept_row").await;
            assert_eq!(lab.verify(&[]).await.findings, [], "{undo}");
        }
        // The end, with the checkpoint that states it.
        let cut = "DELETE FROM audit WHERE number > 7; DELETE FROM audit_checkpoints";
        ground.execute(cut, cut).await;
        assert_eq!(lab.verify(&[]).await.findings, [], "without a checkpoint nobody can tell");
        let findings = lab.verify(&[kept]).await.findings;
        let lost = |finding: &Finding| matches!(finding, Finding::LostCheckpoint { number: 1 });
        let missing = |finding: &Finding| matches!(finding, Finding::MissingRows { from: 8, .. });
        assert!(findings.iter().any(lost) && findings.iter().any(missing), "{findings:?}");
        lab.store.close().await;
    })
    .await;
}

#[tokio::test]
async fn uses_of_stored_secrets_are_written_down_and_so_are_their_failures() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        let before = acts(&*lab.store).await.len();
        lab.use_once(&lab.root, WrittenDown::IfAll).await;
        lab.use_once(&lab.root, WrittenDown::ByEffect).await;
        assert_eq!(acts(&*lab.store).await.len(), before, "nothing stored was used");
        lab.use_once(&lab.root, WrittenDown::Always).await;
        let caller = lab.service.authenticate(&lab.root).await.unwrap();
        let authorized = caller.authorize(Demand::Operation(Operation::Sign)).unwrap();
        let usage =
            Use { request_id: Some("id".to_owned()), ..Use::new("sign", WrittenDown::Always) };
        let admitted = lab.service.spend(authorized, usage).await.unwrap();
        lab.service.note_failure(&admitted, "failed, 404".to_owned(), None).await;
        let written = entries(&*lab.store).await.split_off(before);
        let told: Vec<_> = written.iter().map(|e| (&*e.act, &*e.outcome)).collect();
        assert_eq!(told, [("sign", "admitted"), ("sign", "admitted"), ("sign", "failed, 404")]);
        assert_eq!(written[2].request_id.as_deref(), Some("id"));
        assert_eq!(written[2].actor, Actor::Token(admitted.token_id()));
        assert_eq!(written[2].account, Some(admitted.account_id()));
        lab.store.close().await;
    })
    .await;
}

#[tokio::test]
async fn refused_tokens_are_counted_and_written_down_in_one_row() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        let before = acts(&*lab.store).await.len();
        lab.service.refused_without_token();
        for token in ["nonsense", "pqc_t_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            lab.service.authenticate(token).await.unwrap_err();
        }
        assert_eq!(acts(&*lab.store).await.len(), before);
        lab.service.note_stop().await;
        let written = entries(&*lab.store).await;
        let refused = written.iter().find(|entry| entry.outcome == "refused").unwrap();
        assert_eq!(refused.detail.as_deref(), Some("no token 1, unknown 2"));
        assert_eq!(refused.actor, Actor::Server);
        assert!(written.iter().any(|entry| entry.act == "server.stop"));
        assert_eq!(lab.verify(&[]).await.uncovered, 0);
        lab.store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_account_sees_its_own_part_newest_first_in_pages() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        add_account(&*store, 2).await;
        for n in 1..6 {
            store.insert_token(&By::SERVER, temporary(1, n, 1)).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.audit_of(account_id(1), before, 2).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            before = Some(*last);
            seen.extend(page.into_iter().map(|(_, entry)| entry.token));
        }
        let expected: Vec<_> = (0..6).rev().map(|n| Some(token_id(n))).collect();
        assert_eq!(seen, expected);
        assert_eq!(store.audit_of(account_id(2), None, 10).await.unwrap().len(), 1);
        assert_eq!(store.audit_of(account_id(3), None, 10).await.unwrap().len(), 0);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn checkpoints_come_by_themselves() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground).await;
        drop(lab.service);
        let (host, key) = (Arc::new(System), Secret::from([7; 32]));
        let mut settings = Settings::default();
        settings.checkpoints.rows = 3;
        let store = Arc::clone(&lab.store);
        let service = Service::open(store, host, key, settings).await.unwrap();
        let signed = async {
            while lab.store.last_checkpoint().await.unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let kept = tokio::time::timeout(Duration::from_secs(20), async {
            service.keep_audit(signed).await;
        });
        kept.await.unwrap();
        lab.store.close().await;
    })
    .await;
}

#[test]
fn an_export_that_is_cut_off_or_no_export_is_refused() {
    let head = r#"{"audit":{"format":1,"made_at_ms":1,"checkpoint_keys":[]}}"#;
    let end = r#"{"end":{"rows":0,"checkpoints":0}}"#;
    let verify = |text: String| line::verify(&mut text.as_bytes(), Vec::new(), &[]);
    assert_eq!(verify(format!("{head}\n{end}\n")).unwrap().report.findings, []);
    for text in [
        String::new(),
        format!("{head}\n"),
        format!("{head}\n{end}"),
        format!("{head}\n{end}\n{end}\n"),
        format!("{end}\n"),
        format!("{head}\n{}\n", end.replace(":0,", ":1,")),
        format!("{}\n{end}\n", head.replace(":1,\"made", ":2,\"made")),
        format!("{}\n{end}\n", head.replace("[]", "[\"00\"]")),
        format!("{head}\n{{\"row\":{{}}}}\n{end}\n"),
    ] {
        let refused = verify(text.clone());
        assert!(matches!(refused, Err(Error::NotAnExport { .. })), "{text}: {refused:?}");
    }
}
