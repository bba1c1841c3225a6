//! The audit log, as tenants, operators and auditors meet it.

use serde_json::{Value, json};

use crate::support::{Account, Call, Folder, Run, Server, shared, text};

/// What the account's root token reads, oldest first.
fn entries(account: &Account) -> Vec<Value> {
    let page = account.root.get("/api/v1/audit?limit=1000").ok();
    assert_eq!(page["next_cursor"], Value::Null);
    let mut entries = page["entries"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

fn acts(entries: &[Value]) -> Vec<(&str, &str)> {
    fn told<'a>(entry: &'a Value, name: &str) -> &'a str {
        entry[name].as_str().unwrap()
    }
    entries.iter().map(|entry| (told(entry, "act"), told(entry, "outcome"))).collect()
}

#[test]
fn a_tenant_reads_who_did_what_with_which_key_and_never_what_was_in_it() {
    let server = shared();
    let account = server.account();
    let pair = account.root.generate();
    let (cipher, shared_key) = pair.encapsulated_by(&account.root);
    let token = account.root.mint_counted(2);
    let token_id = text(&token.token_self(), "id");
    let received = json!({"cipher": cipher, "pk": pair.pk});
    let call = Call::post("/api/kem/decapsulate_key", &received).header("x-request-id", "the-id");
    assert_eq!(token.send(&call).ok()["shared_key"], shared_key.as_str());
    // By the root token too; and one that fails.
    account.root.post("/api/kem/decapsulate_key", &received).ok();
    let signed = json!({"data": "a secret sentence", "key_id": "00".repeat(32)});
    account.root.post("/api/signature/sign", &signed).problem(404);
    let signed = account.root.post("/api/signature/sign", &json!({"data": "a secret sentence"}));
    let signing_key = text(&signed.ok(), "key_id");

    let entries = entries(&account);
    let expected = [
        ("account.create", "done"),
        ("key.generate", "done"),
        ("token.mint", "done"),
        ("kem.decapsulate", "admitted"),
        ("kem.decapsulate", "admitted"),
        ("sign", "admitted"),
        ("sign", "failed, 404"),
        ("sign", "admitted"),
        ("key.generate", "done"),
    ];
    assert_eq!(acts(&entries), expected, "{entries:#?}");
    assert_eq!(entries[0]["actor"], "operator");
    assert_eq!(entries[1]["key_id"], pair.key_id.as_str());
    assert_eq!(entries[2]["token_id"], token_id.as_str());
    let used = &entries[3];
    assert_eq!((&used["actor"], &used["request_id"]), (&json!(token_id), &json!("the-id")));
    assert_eq!(used["key_id"], pair.key_id.as_str());
    assert_ne!(entries[4]["actor"], token_id.as_str());
    assert_eq!(entries[8]["key_id"], signing_key.as_str());
    assert!(entries.iter().all(|entry| entry["account"] == account.id.as_str()), "{entries:#?}");
    let all = json!(entries).to_string();
    for secret in ["secret sentence", &shared_key, &cipher, &pair.pk] {
        assert!(!all.contains(secret));
    }
}

#[test]
fn the_log_is_for_root_tokens_in_pages_and_shows_no_other_account() {
    let server = shared();
    let (account, other) = (server.account(), server.account());
    for _ in 0..4 {
        account.root.mint_counted(1);
    }
    account.root.mint_counted(1).get("/api/v1/audit").problem(403);
    let mut seen = 0;
    let mut path = "/api/v1/audit?limit=2".to_owned();
    loop {
        let page = account.root.get(&path).ok();
        let entries = page["entries"].as_array().unwrap();
        assert!((1..=2).contains(&entries.len()));
        seen += entries.len();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/audit?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, 6);
    assert_eq!(acts(&entries(&other)), [("account.create", "done")]);
    account.root.get("/api/v1/audit?limit=0").invalid(&["query.limit"]);
    for cursor in ["x", "-1", "%2B1", "", "00000000000000000001"] {
        account.root.get(&format!("/api/v1/audit?cursor={cursor}")).invalid(&["query.cursor"]);
    }
}

#[test]
fn what_is_not_stored_is_written_down_on_demand() {
    let server = Folder::new().serve_with("--audit-all --log warn");
    let account = server.account();
    let key = json!({"unencrypted": "x", "key": "11".repeat(32)});
    account.root.post("/api/aes/encrypt_text", &key).ok();
    let expected = [("account.create", "done"), ("aes.encrypt", "admitted")];
    // The reading is written down too, after it was read.
    assert_eq!(acts(&entries(&account))[..2], expected);
    let account = shared().account();
    account.root.post("/api/aes/encrypt_text", &key).ok();
    assert_eq!(acts(&entries(&account)), expected[..1]);
}

fn verify(folder: &Folder, options: &str) -> Run {
    folder.verb(&format!("audit verify{options}"))
}

/// Some work, of which the log tells.
fn work(server: &Server) {
    let root = server.root();
    let token = root.mint_counted(30);
    for n in 0..20 {
        token.post("/api/signature/sign", &json!({"data": format!("{n}")})).ok();
    }
}

#[test]
fn a_log_is_whole_beside_the_server_after_its_end_and_after_its_death() {
    let folder = Folder::new();
    let server = folder.serve_with("--audit-checkpoint-rows 5 --log info");
    work(&server);
    assert!(server.stderr.wait_for("audit checkpoint"), "by itself, and told in the log");
    let beside = folder.verb("audit verify --json").json();
    assert_eq!((&beside["whole"], &beside["findings"]), (&json!(true), &json!([])));
    server.anyone().with_token("nonsense").get("/api/v1/token/self").problem(401);
    let root = server.root();
    let narrow = json!({"operations": ["kem.decapsulate"], "key_id": root.generate().key_id});
    let token = root.mint(&narrow);
    token.post("/api/signature/sign", &json!({"data": ""})).problem(403);
    token.get("/api/v1/keys").problem(403);
    let other = root.generate();
    let (cipher, _) = other.encapsulated_by(&root);
    let asked = json!({"cipher": cipher, "pk": other.pk});
    token.post("/api/kem/decapsulate_key", &asked).problem(403);
    server.stop();
    let ended = folder.verb("audit verify --json").json();
    assert_eq!((&ended["whole"], &ended["uncovered"]), (&json!(true), &json!(0)), "{ended}");
    let export = folder.verb("audit export").ended(0).stdout;
    for said in ["server.start", "server.stop", "token.mint", "unknown 1, out of scope 3"] {
        assert!(export.contains(said), "{said}: {export}");
    }

    let server = folder.serve();
    work(&server);
    server.kill();
    let killed = folder.verb("audit verify --json").json();
    assert_eq!(killed["whole"], true, "{killed}");
    assert!(killed["uncovered"].as_u64().unwrap() > 20, "what was not signed is told: {killed}");
}

#[test]
fn an_auditor_needs_no_store_and_finds_what_was_altered() {
    let folder = Folder::new();
    let server = folder.serve();
    work(&server);
    let write = |name: &str, text: &str| {
        let path = folder.beside(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = write("key", &server.verb("audit key").ended(0).stdout);
    server.verb("audit checkpoint").ended(0);
    let early = write("early.jsonl", &server.verb("audit export").ended(0).stdout);
    let kept = write("kept", &server.verb("audit checkpoint").ended(0).stdout);
    server.stop();
    let export = folder.verb("audit export").ended(0).stdout;
    let whole = write("whole.jsonl", &export);

    let nowhere = Folder::new();
    let audit = |options: &str| verify(&nowhere, &format!(" {options}"));
    let said = audit(&format!("{whole} --key {key} --against {kept}")).ended(0);
    assert!(said.stdout.contains("nothing is missing, changed or added"), "{said:?}");
    assert_eq!(said.stderr, "");
    assert!(audit(&whole).ended(0).stderr.contains("taken from the log itself"));
    audit(&format!("{whole} --against {early}")).ended(0);
    // The log of before lacks what was kept after it.
    let cut = audit(&format!("{early} --key {key} --against {kept}")).ended(1);
    assert!(cut.stdout.contains("which was kept elsewhere, is not in the log"), "{cut:?}");

    let lines: Vec<&str> = export.lines().collect();
    let row = lines.iter().position(|line| line.contains("\"act\":\"sign\"")).unwrap();
    let mut removed = lines.clone();
    removed.remove(row + 3);
    let last = removed.len() - 1;
    let rows = lines.iter().filter(|line| line.starts_with("{\"row\"")).count();
    let end = removed[last].replace(&format!("\"rows\":{rows}"), &format!("\"rows\":{}", rows - 1));
    removed[last] = &end;
    let changed = lines[row].replace("\"outcome\":\"admitted\"", "\"outcome\":\"refused\"");
    let mut altered = lines.clone();
    altered[row] = &changed;
    let mut swapped = lines.clone();
    swapped.swap(row, row + 1);
    for (what, lines) in [("missing", removed), ("was changed", altered), ("missing", swapped)] {
        let file = write("altered.jsonl", &(lines.join("\n") + "\n"));
        let found = audit(&format!("{file} --key {key}")).ended(1);
        assert!(found.stdout.contains(what), "{what}: {found:?}");
    }
    let cut = write("cut.jsonl", &(lines[..row].join("\n") + "\n"));
    audit(&cut).refused(2, "the file was cut off");
    // Another server's log is no word of this key.
    let other = Folder::new();
    other.serve().stop();
    let theirs = write("theirs.jsonl", &other.verb("audit export").ended(0).stdout);
    let found = audit(&format!("{theirs} --key {key}")).ended(1);
    assert!(found.stdout.contains("is not signed by the key of checkpoints"), "{found:?}");
    audit(&format!("{key} --key {key}")).refused(2, "line 1 is not");
    audit("no-such-file").refused(2, "cannot read no-such-file");
}

#[test]
fn a_restored_store_goes_on_with_its_log() {
    let folder = Folder::new();
    let server = folder.serve();
    work(&server);
    std::fs::write(folder.beside("pass"), "a long sentence to keep\n").unwrap();
    let (file, pass) = (folder.beside("b"), folder.beside("pass"));
    let (file, pass) = (file.display(), pass.display());
    server.verb(&format!("backup {file} --passphrase-file {pass}")).ended(0);
    let master = folder.file("master.key");
    let new = Folder::new();
    let restore =
        format!("restore {file} --passphrase-file {pass} --master-key-file {}", master.display());
    new.verb(&restore).ended(0);
    let master = format!(" --master-key-file {}", master.display());
    let whole = new.verb(&format!("audit verify --json{master}")).json();
    assert_eq!(whole["whole"], true, "{whole}");
    let export = new.verb(&format!("audit export{master}")).ended(0).stdout;
    for act in ["store.backup", "store.restore", "\"act\":\"sign\""] {
        assert!(export.contains(act), "{act}: {export}");
    }
}
