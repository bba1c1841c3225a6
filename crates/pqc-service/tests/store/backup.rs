//! Backups: what goes from one store into another, of either kind, and what is refused.

use pqc_service::audit::{Use, WrittenDown};
use std::io::{self, Write};
use std::sync::Arc;

use pqc_core::seal::RecordKind;
use pqc_core::token::Demand;
use pqc_core::{
    Ciphertext, KemAlgorithm, MessageBox, Secret, SecretVec, SharedSecret, SignatureAlgorithm,
    SigningKey, Timestamp, UnverifiedKey, VerifyingKey,
};
use pqc_service::authorize::Admitted;
use pqc_service::backup::{self, Contents, RestoreOptions, Restored, Target};
use pqc_service::keyring::SigningKeyChoice;
use pqc_service::tokens::MintRequest;
use pqc_service::usage::{Day, UsageBy, UsageQuery, UsageSum};
use pqc_service::{
    By, Custody, Error, PostgresStore, Service, Settings, SqliteStore, Store, System,
};

use sqlx::{ConnectOptions, Executor};

use crate::ground::{Database, Ground, on_every_ground};
use crate::support::Place;

async fn service_on(store: Arc<dyn Store>) -> Service {
    let host = Arc::new(System);
    Service::open(store, host, Secret::from([7; 32]), Settings::default()).await.unwrap()
}

async fn admitted(service: &Service, token: &str) -> Result<Admitted, Error> {
    let caller = service.authenticate(token).await?;
    service.spend(caller.authorize(Demand::Itself)?, Use::new("sign", WrittenDown::IfAll)).await
}

/// What was put into a store and must come out of its copy.
struct Filled {
    alice: String,
    bob: String,
    temporary: String,
    public_key: Vec<u8>,
    ciphertext: Ciphertext,
    shared: SharedSecret,
    text: MessageBox,
    usage: Vec<UsageSum>,
    /// How often each key was used.
    uses: Vec<u64>,
    signing: VerifyingKey,
    issuers: Vec<VerifyingKey>,
    trusted: VerifyingKey,
}

async fn filled(service: &Service) -> Filled {
    let mut roots = Vec::new();
    for name in ["alice", "bob"] {
        let pending = service.prepare_account(name, Custody::Server).await.unwrap();
        roots.push(
            service.create_account(&By::OPERATOR, pending).await.unwrap().expose_text().to_string(),
        );
    }
    service.set_disabled(&By::OPERATOR, "bob", true).await.unwrap();
    let account = service.account("alice").await.unwrap().id;
    let temporary = service.mint_for(&By::OPERATOR, account, MintRequest::default()).await.unwrap();
    let by = admitted(service, &roots[0]).await.unwrap();
    let pair =
        service.generate_key_pair(&by, KemAlgorithm::MlKem768, None, |_| Ok("")).await.unwrap().0;
    let key = pair.encapsulation_key;
    let (ciphertext, shared) = key.encapsulate_unattested(&mut getrandom::SysRng).unwrap();
    let text = service.encrypt(&by, None, SecretVec::copy_of(b"a text"), Vec::new()).await;
    let choice = SigningKeyChoice::default();
    let signed = service.sign(&by, choice, SecretVec::copy_of(b"data"), Vec::new()).await;
    let trusted =
        SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng).unwrap();
    let trusted = trusted.verifying_key().clone();
    service.trust_issuer(&By::OPERATOR, &trusted).await.unwrap();
    service.add_usage().await.unwrap();
    let bob = roots.pop().unwrap();
    Filled {
        alice: roots.pop().unwrap(),
        bob,
        temporary: temporary.value.expose_text().to_string(),
        public_key: key.as_bytes().to_vec(),
        ciphertext,
        shared,
        text: text.unwrap(),
        usage: usage(service).await,
        uses: uses(service).await,
        signing: signed.unwrap().1,
        issuers: service.issuer_keys().await.unwrap(),
        trusted,
    }
}

/// What alice did.
async fn usage(service: &Service) -> Vec<UsageSum> {
    let account = service.account("alice").await.unwrap().id;
    let day = |time| Day::of(Timestamp::from_millis(time));
    let query = UsageQuery { account, from: day(0), to: day(u64::MAX), by: UsageBy::Token };
    service.usage(&query, None, 100).await.unwrap()
}

/// How often each of alice's keys was used.
async fn uses(service: &Service) -> Vec<u64> {
    let account = service.account("alice").await.unwrap().id;
    let keys = service.keys(account, None, 100).await.unwrap();
    keys.iter().map(|key| key.uses).collect()
}

/// That all of it is in the store that was made of the backup.
async fn check(service: &Service, was: &Filled) {
    assert_eq!(service.issuer_keys().await.unwrap(), was.issuers);
    let sums = usage(service).await;
    assert_eq!(sums, was.usage);
    assert_eq!(sums.iter().map(|sum| sum.calls).sum::<u64>(), 1, "{sums:?}");
    assert_eq!(uses(service).await, was.uses);
    assert_eq!(was.uses.iter().sum::<u64>(), 2, "a text, a signature");
    assert_eq!(service.trusted_issuer_keys().await.unwrap(), std::slice::from_ref(&was.trusted));
    let names: Vec<_> = service.accounts().await.unwrap().into_iter().map(|a| a.name).collect();
    assert_eq!(names, ["alice", "bob"]);
    for dead in [&was.temporary, &was.bob] {
        assert!(matches!(admitted(service, dead).await, Err(Error::Unauthorized(_))), "{dead}");
    }
    service.set_disabled(&By::OPERATOR, "bob", false).await.unwrap();
    admitted(service, &was.bob).await.unwrap();
    let by = admitted(service, &was.alice).await.unwrap();
    let public_key = UnverifiedKey::from_bytes(&was.public_key).unwrap();
    let shared = service.decapsulate(&by, &public_key, &was.ciphertext).await.unwrap();
    assert!(shared.ct_eq(&was.shared));
    let opened = service.decrypt(&by, None, was.text.clone(), Vec::new()).await.unwrap();
    assert_eq!(opened.expose_bytes(), b"a text");
    let choice = SigningKeyChoice::default();
    let signed = service.sign(&by, choice, SecretVec::copy_of(b"data"), Vec::new()).await;
    assert_eq!(signed.unwrap().1, was.signing);
}

async fn back_up(service: &Service) -> (Vec<u8>, Contents) {
    service.back_up(&By::OPERATOR, Vec::new()).await.unwrap()
}

fn options() -> RestoreOptions {
    RestoreOptions { master_key: Secret::from([7; 32]).into(), reset_root_tokens: false }
}

async fn restore(backup: Vec<u8>, target: Target) -> Result<Restored, Error> {
    backup::restore(io::Cursor::new(backup), target, Arc::new(System), options()).await
}

/// Where a copy goes: one place of each kind.
struct Elsewhere {
    place: Place,
    database: Option<Database>,
}

impl Elsewhere {
    async fn new() -> Self {
        Self { place: Place::new(), database: Database::new().await }
    }

    fn targets(&self) -> Vec<Target> {
        let postgres = self.database.iter().map(|database| Target::Postgres(database.url()));
        std::iter::once(Target::Sqlite(self.place.path())).chain(postgres).collect()
    }

    /// That nothing is left of a refused restore.
    async fn assert_empty(&self) {
        let files = std::fs::read_dir(self.place.folder.path()).unwrap().count();
        assert_eq!(files, 0, "files are left");
        if let Some(database) = &self.database {
            let store = PostgresStore::open_existing(&database.url()).await.unwrap();
            assert!(store.is_none(), "tables are left");
        }
    }
}

async fn open(target: &Target) -> Arc<dyn Store> {
    match target {
        Target::Sqlite(path) => Arc::new(SqliteStore::open(path, Arc::new(System)).await.unwrap()),
        Target::Postgres(url) => Arc::new(PostgresStore::open(url).await.unwrap()),
    }
}

#[tokio::test]
async fn a_store_lives_on_in_a_store_of_either_kind() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service_on(store.clone()).await;
        let was = filled(&service).await;
        let (backup, contents) = back_up(&service).await;
        assert_eq!(contents.accounts.len(), 2);
        let alice = &contents.accounts[0];
        assert_eq!((alice.name.as_str(), alice.root_token.is_some()), ("alice", true));
        let mut kinds: Vec<_> = alice.keys.iter().map(|key| key.kind.name()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["aes", "kem", "sign"]);
        assert_eq!((contents.issuer_keys.len(), contents.trusted_issuers), (1, 1));
        for secret in [&was.alice, &was.bob, &was.temporary] {
            let found = backup.windows(secret.len()).any(|text| text == secret.as_bytes());
            assert!(!found, "a token's value is in the backup");
        }
        let elsewhere = Elsewhere::new().await;
        for target in elsewhere.targets() {
            let restored = restore(backup.clone(), target.clone()).await.unwrap();
            assert_eq!(restored.contents, contents);
            assert!(restored.root_tokens.is_empty());
            let copy = open(&target).await;
            check(&service_on(copy.clone()).await, &was).await;
            copy.close().await;
            if let Target::Sqlite(path) = &target {
                // What lets a removed key's bytes be overwritten: see `erased.rs`.
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut raw = options.connect().await.unwrap();
                let least = "SELECT min(length(attestation)) FROM keys";
                let least: i64 = sqlx::query_scalar(least).fetch_one(&mut raw).await.unwrap();
                assert!(least >= 3309, "{least}");
            }
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn keys_that_do_not_open_are_named() {
    let place = Place::new();
    let service = service_on(place.open().await).await;
    filled(&service).await;
    let damaged = |contents: &Contents| {
        let keys = contents.accounts[0].keys.iter().filter(|key| !key.is_sound);
        let mut kinds: Vec<_> = keys.map(|key| key.kind.name()).collect();
        kinds.sort_unstable();
        (contents.damaged_keys, kinds)
    };
    assert_eq!(damaged(&back_up(&service).await.1), (0, vec![]));
    let mut raw = place.raw().await;
    for (damage, kinds) in [
        ("sealed = x'01' WHERE kind = 'aes'", vec!["aes"]),
        (
            "sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB) \
             WHERE kind = 'sign'",
            vec!["aes", "sign"],
        ),
        (
            "public_key = zeroblob(length(public_key)) WHERE kind = 'kem'",
            vec!["aes", "kem", "sign"],
        ),
    ] {
        let sql = format!("UPDATE keys SET {damage}");
        raw.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        let (backup, contents) = back_up(&service).await;
        let count = u64::try_from(kinds.len()).unwrap();
        assert_eq!(damaged(&contents), (count, kinds), "{damage}");
        // They are in it as they are in the store.
        let elsewhere = Place::new();
        let restored = restore(backup, Target::Sqlite(elsewhere.path())).await.unwrap();
        assert_eq!(restored.contents, contents);
    }
}

#[tokio::test]
async fn root_tokens_are_reset_with_the_restore() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service_on(store.clone()).await;
        let was = filled(&service).await;
        let (backup, _) = back_up(&service).await;
        store.close().await;
        let elsewhere = Elsewhere::new().await;
        for target in elsewhere.targets() {
            let options = RestoreOptions { reset_root_tokens: true, ..options() };
            let input = io::Cursor::new(backup.clone());
            let restored =
                backup::restore(input, target.clone(), Arc::new(System), options).await.unwrap();
            let names: Vec<_> = restored.root_tokens.iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["alice", "bob"]);
            let copy = open(&target).await;
            let service = service_on(copy.clone()).await;
            service.set_disabled(&By::OPERATOR, "bob", false).await.unwrap();
            for (old, (_, new)) in [&was.alice, &was.bob].into_iter().zip(&restored.root_tokens) {
                assert!(matches!(admitted(&service, old).await, Err(Error::Unauthorized(_))));
                admitted(&service, &new.expose_text()).await.unwrap();
            }
            copy.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let service = service_on(store.clone()).await;
    filled(&service).await;
    let (backup, _) = back_up(&service).await;
    let elsewhere = Elsewhere::new().await;
    let lines: Vec<_> = backup.split_inclusive(|byte| *byte == b'\n').collect();
    let without = |index: usize| {
        let kept = lines.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, line)| *line);
        kept.collect::<Vec<_>>().concat()
    };
    let mut wrong: Vec<_> = (0..lines.len()).map(without).collect();
    wrong.push(Vec::new());
    wrong.push(backup[..backup.len() - 1].to_vec());
    wrong.push(backup[..backup.len() / 2].to_vec());
    wrong.push([&backup[..], b"\n"].concat());
    wrong.push([&backup[..], &backup].concat());
    // Two rows change places: each is whole, and the order is not what was written.
    let mut swapped = lines.clone();
    swapped.swap(lines.len() - 3, lines.len() - 2);
    wrong.push(swapped.concat());
    let text = String::from_utf8(backup.clone()).unwrap();
    let swaps = [
        ("\"alice\"", "\"mallory\""),
        ("\"format\":1", "\"format\":2"),
        ("\"disabled\":1", "\"disabled\":0"),
        ("\"table\":\"keys\"", "\"table\":\"photos\""),
    ];
    for (from, to) in swaps {
        assert!(text.contains(from));
        wrong.push(text.replacen(from, to, 1).into_bytes());
    }
    for backup in wrong {
        for target in elsewhere.targets() {
            let refused = restore(backup.clone(), target).await.unwrap_err();
            assert!(matches!(refused, Error::BadBackup(_)), "{refused:?}");
        }
        elsewhere.assert_empty().await;
    }
    // The twin.
    for target in elsewhere.targets() {
        restore(backup.clone(), target).await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_that_was_made_with_another_master_key_is_refused() {
    let place = Place::new();
    let service = service_on(place.open().await).await;
    filled(&service).await;
    let (backup, _) = back_up(&service).await;
    let elsewhere = Elsewhere::new().await;
    for target in elsewhere.targets() {
        let options = RestoreOptions { master_key: Secret::from([8; 32]).into(), ..options() };
        let input = io::Cursor::new(backup.clone());
        let refused = backup::restore(input, target, Arc::new(System), options).await.unwrap_err();
        assert!(matches!(refused, Error::WrongMasterKey), "{refused:?}");
    }
    elsewhere.assert_empty().await;
}

#[tokio::test]
async fn one_who_has_no_master_key_makes_no_backup() {
    // All but the last line of one store's backup, with an end that only its checksum fits.
    let (place, other) = (Place::new(), Place::new());
    let service = service_on(place.open().await).await;
    filled(&service).await;
    let (backup, _) = back_up(&service).await;
    let host = Arc::new(System);
    let key = Secret::from([8; 32]);
    let theirs = Service::open(other.open().await, host, key, Settings::default()).await.unwrap();
    let (foreign, _) = theirs.back_up(&By::OPERATOR, Vec::new()).await.unwrap();
    let last = |backup: &[u8]| {
        let line = backup.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
        serde_json::from_slice::<serde_json::Value>(line).unwrap()
    };
    let mut end = last(&backup);
    end["end"]["sealed"] = last(&foreign)["end"]["sealed"].clone();
    let head = backup.len() - backup.split_inclusive(|b| *b == b'\n').next_back().unwrap().len();
    let forged = [&backup[..head], end.to_string().as_bytes(), b"\n"].concat();
    let elsewhere = Elsewhere::new().await;
    for target in elsewhere.targets() {
        let refused = restore(forged.clone(), target).await.unwrap_err();
        assert!(refused.to_string().contains("master key"), "{refused}");
    }
    elsewhere.assert_empty().await;
}

#[tokio::test]
async fn only_an_empty_store_is_filled() {
    let place = Place::new();
    let service = service_on(place.open().await).await;
    filled(&service).await;
    let (backup, contents) = back_up(&service).await;
    let elsewhere = Elsewhere::new().await;
    for target in elsewhere.targets() {
        restore(backup.clone(), target.clone()).await.unwrap();
        let before = dump(&target).await;
        let refused = restore(backup.clone(), target.clone()).await.unwrap_err();
        assert!(matches!(refused, Error::NotEmpty | Error::Unavailable(_)), "{refused:?}");
        assert_eq!(dump(&target).await, before);
    }
    assert_eq!(contents.accounts.len(), 2);
}

/// All rows of a store, as a backup has them.
async fn dump(target: &Target) -> Vec<String> {
    let store = open(target).await;
    let service = service_on(store.clone()).await;
    let (backup, _) = back_up(&service).await;
    store.close().await;
    let text = String::from_utf8(backup).unwrap();
    let is_row = |line: &&str| {
        // Who looks is written down.
        line.starts_with("{\"row\"")
            && !["\"clock\"", "\"audit\"", "\"audit_checkpoints\""].iter().any(|t| line.contains(t))
    };
    text.lines().filter(is_row).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_backup_is_of_one_moment_and_holds_nobody_up() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = Arc::new(service_on(store.clone()).await);
        let was = filled(&service).await;
        let by = admitted(&service, &was.alice).await.unwrap();
        // Enough for several pages.
        for _ in 0..450 {
            service.generate_key_pair(&by, KemAlgorithm::MlKem512, None, |_| Ok("")).await.unwrap();
        }
        // It waits after its first lines, while keys and accounts are made.
        let (go, wait) = std::sync::mpsc::channel();
        let out = Slow { written: Vec::new(), wait: Some(wait) };
        let backing_up = tokio::spawn({
            let service = Arc::clone(&service);
            async move { service.back_up(&By::OPERATOR, out).await }
        });
        for n in 0..30 {
            service.generate_key_pair(&by, KemAlgorithm::MlKem512, None, |_| Ok("")).await.unwrap();
            let name = format!("later-{n}");
            let pending = service.prepare_account(&name, Custody::Server).await.unwrap();
            service.create_account(&By::OPERATOR, pending).await.unwrap();
        }
        go.send(()).unwrap();
        let (out, contents) = backing_up.await.unwrap().unwrap();
        // However far it was when they were made: a key of Alice's that is in it is older than each
        // account that is not.
        let pairs = contents.accounts[0].keys.iter();
        let pairs = pairs.filter(|key| key.kind == RecordKind::DecapsulationKey);
        let made = pairs.count() - 451;
        let later = contents.accounts.len() - 2;
        assert!(made == later || made == later + 1, "{made} keys beside {later} accounts");
        let elsewhere = Elsewhere::new().await;
        for target in elsewhere.targets() {
            restore(out.written.clone(), target.clone()).await.unwrap();
        }
        store.close().await;
    })
    .await;
}

/// Takes its time for the second line.
struct Slow {
    written: Vec<u8>,
    wait: Option<std::sync::mpsc::Receiver<()>>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.written.is_empty()
            && let Some(wait) = self.wait.take()
        {
            wait.recv().map_err(io::Error::other)?;
        }
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has room for so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_backup_without_room_fails_and_the_store_goes_on() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service_on(store.clone()).await;
        let was = filled(&service).await;
        let (backup, _) = back_up(&service).await;
        for room in [0, 100, backup.len() / 2, backup.len() - 1] {
            let failed = service.back_up(&By::OPERATOR, Full(room)).await.map(drop).unwrap_err();
            assert!(matches!(failed, Error::BackupNotWritten(_)), "{room}: {failed:?}");
        }
        service.back_up(&By::OPERATOR, Full(backup.len() + 10_000)).await.unwrap();
        admitted(&service, &was.temporary).await.unwrap();
        check(&service, &was).await;
        store.close().await;
    })
    .await;
}
