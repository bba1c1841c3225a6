//! `pqc backup` beside a running server, and `pqc restore` into a new folder or a database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::postgres::Database;
use crate::support::{
    Folder, KeyPair, Server, Started, block_on, names, pqc, run, text, wait_until, without_settings,
};

/// A server with something in it, and how to tell it again.
struct Original {
    server: Server,
    keys: Folder,
    root: String,
    temporary: String,
    pair: KeyPair,
    cipher: String,
    shared_key: String,
    encrypted: String,
}

impl Original {
    fn new() -> Self {
        let server = Folder::new().serve();
        let root = server.folder.root_token();
        let holder = server.holder(&root);
        let pair = holder.generate();
        let (cipher, shared_key) = pair.encapsulated_by(&holder);
        let encrypted =
            holder.post("/api/aes/encrypt_text", &json!({"unencrypted": "a text"})).ok_text();
        let minted = holder.post("/api/token/new", &json!({"expire_after_attempts": 9})).ok();
        let temporary = text(&minted, "new_token");
        let keys = Folder::new();
        let made = format!(
            "kem keygen --algorithm X-Wing --out {} --public {}",
            keys.beside("backup.pem").display(),
            keys.beside("backup.pub.pem").display()
        );
        run(pqc().args(made.split(' ')), b"").ended(0);
        fs::write(keys.beside("passphrase"), "correct horse battery staple\n").unwrap();
        Self { server, keys, root, temporary, pair, cipher, shared_key, encrypted }
    }

    /// That a server on the restored store does what this one did.
    fn lives_on(&self, copy: &Server) {
        let holder = copy.holder(&self.root);
        let call = json!({"cipher": self.cipher, "pk": self.pair.pk});
        let answer = holder.post("/api/kem/decapsulate_key", &call).ok();
        assert_eq!(answer["shared_key"], json!(self.shared_key));
        let call = json!({"ciphertext": self.encrypted});
        assert_eq!(holder.post("/api/aes/decrypt_text", &call).ok_text(), "a text");
        // The attestation, too: the issuer is the same.
        self.pair.encapsulated_by(&holder);
        copy.holder(&self.temporary).get("/api/v1/token/self").problem(401);
    }

    fn file(&self, name: &str) -> String {
        self.keys.beside(name).display().to_string()
    }
}

#[test]
fn a_backup_beside_a_running_server_becomes_a_store_elsewhere() {
    let original = Original::new();
    let [file, public, secret] =
        ["b.pqcb", "backup.pub.pem", "backup.pem"].map(|n| original.file(n));
    let holder = original.server.holder(&original.root);
    holder.generate();
    let listed = original.server.verb("keys list --json").json();
    let destroyed = text(listed["keys"].as_array().unwrap().last().unwrap(), "key_id");
    original.server.verb(&format!("keys destroy {destroyed}")).ended(0);
    let made = original.server.verb(&format!("backup {file} -r {public} --json")).json();
    assert_eq!(names(&made), ["accounts", "keys", "made_at"]);
    assert_eq!((&made["accounts"], &made["keys"]), (&json!(1), &json!(3)));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // It stays: another one is not put over it unawares.
    original.server.verb(&format!("backup {file} -r {public}")).refused(2, "--force");
    original.server.verb(&format!("backup {file} -r {public} --force")).ended(0);

    let copy = Folder::new();
    let key = original.server.folder.file("master.key");
    let restore = format!("restore {file} -i {secret} --master-key-file {}", key.display());
    let restored = copy.verb(&format!("{restore} --json")).json();
    assert_eq!(names(&restored), ["accounts", "issuer_keys", "made_at", "trusted_issuers"]);
    let account = &restored["accounts"][0];
    assert_eq!(text(account, "name"), "default");
    // Each key is named, as the list of them names it.
    let listed = original.server.verb("keys list --json").json()["keys"].clone();
    let listed = listed.as_array().unwrap().iter();
    let listed: Vec<_> = listed
        .map(|key| {
            let (id, kind, destroyed_at) = (&key["key_id"], &key["kind"], &key["destroyed_at"]);
            json!({"key_id": id, "kind": kind, "destroyed_at": destroyed_at, "sound": true})
        })
        .collect();
    assert_eq!((listed.len(), &account["keys"]), (3, &json!(listed)));
    assert_eq!(restored["issuer_keys"][0]["kind"], "issuer");
    let about = original.server.holder(&original.root).token_self();
    assert_eq!(account["root_token_id"], about["id"], "the token that is in force again is named");
    let mut files: Vec<_> =
        fs::read_dir(copy.data_dir()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["pqc.db", "serve.lock"]);
    let mode = fs::metadata(copy.file("pqc.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = fs::read(copy.file("pqc.db")).unwrap();
    copy.verb(&restore).refused(2, "there is a store already");
    assert_eq!(fs::read(copy.file("pqc.db")).unwrap(), before);

    let again = copy.serve_with(&format!("--log info --master-key-file {}", key.display()));
    original.lives_on(&again);
    // The twin of what a restore does away with.
    original.server.holder(&original.temporary).token_self();
}

#[test]
fn a_store_moves_to_postgresql_and_back() {
    let Some(database) = Database::new() else { return };
    let original = Original::new();
    let (file, phrase) = (original.file("b.pqcb"), original.file("passphrase"));
    original.server.verb(&format!("backup {file} --passphrase-file {phrase}")).ended(0);
    let key = original.server.folder.file("master.key").display().to_string();

    let there = Folder::new();
    let options = format!("--store {} --master-key-file {key}", database.url());
    there.verb(&format!("restore {file} --passphrase-file {phrase} {options}")).ended(0);
    assert!(!there.data_dir().exists());
    let moved = there.serve_with(&format!("--log info {options}"));
    original.lives_on(&moved);
    there
        .verb(&format!("restore {file} --passphrase-file {phrase} {options}"))
        .refused(2, "not empty");

    let back = original.file("back.pqcb");
    there.verb(&format!("backup {back} --passphrase-file {phrase} {options}")).ended(0);
    let home = Folder::new();
    let restore = format!("restore {back} --passphrase-file {phrase} --master-key-file {key}");
    home.verb(&restore).ended(0);
    let home = home.serve_with(&format!("--log info --master-key-file {key}"));
    original.lives_on(&home);
}

#[test]
fn root_tokens_are_replaced_on_demand() {
    let original = Original::new();
    let (file, phrase) = (original.file("b.pqcb"), original.file("passphrase"));
    original.server.verb(&format!("backup {file} --passphrase-file {phrase}")).ended(0);
    let copy = Folder::new();
    let key = original.server.folder.file("master.key").display().to_string();
    let restore = format!(
        "restore {file} --passphrase-file {phrase} --master-key-file {key} --reset-root-tokens"
    );
    let restored = copy.verb(&format!("{restore} --json")).json();
    let token = text(&restored["accounts"][0], "root_token");
    let copy = copy.serve_with(&format!("--log info --master-key-file {key}"));
    copy.holder(&original.root).get("/api/v1/token/self").problem(401);
    assert_eq!(copy.holder(&token).token_self()["kind"], "root");
}

#[test]
fn a_backup_goes_through_pipes() {
    let original = Original::new();
    let phrase = original.file("passphrase");
    let key = original.server.folder.file("master.key").display().to_string();
    let backup = format!("backup - --passphrase-file {phrase}");
    let dir = original.server.folder.data_dir();
    let out = pqc().args(backup.split(' ')).arg("--data-dir").arg(dir).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let copy = Folder::new();
    let restore = format!("restore - --passphrase-file {phrase} --master-key-file {key}");
    copy.verb_reading(&restore, &out.stdout).ended(0);
    original.lives_on(&copy.serve_with(&format!("--log info --master-key-file {key}")));
}

#[test]
fn what_cannot_be_restored_is_said_and_leaves_nothing() {
    let original = Original::new();
    let names = ["b.pqcb", "p.pqcb", "backup.pub.pem", "backup.pem", "passphrase"];
    let [file, by_phrase, public, secret, phrase] = names.map(|name| original.file(name));
    original.server.verb(&format!("backup {file} -r {public}")).ended(0);
    original.server.verb(&format!("backup {by_phrase} --passphrase-file {phrase}")).ended(0);
    let key = original.server.folder.file("master.key").display().to_string();
    let wrong_key = original.file("wrong.key");
    fs::write(&wrong_key, "5a".repeat(32)).unwrap();
    let wrong_phrase = original.file("wrong-passphrase");
    fs::write(&wrong_phrase, "another horse battery staple\n").unwrap();
    let other = original.file("other.pem");
    run(
        pqc().args(["kem", "keygen", "--out", &other, "--public", &original.file("other.pub")]),
        b"",
    )
    .ended(0);
    let bytes = fs::read(&file).unwrap();
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        fs::write(original.file(name), bytes).unwrap();
        original.file(name)
    };
    let half = changed("half", &|bytes| bytes.truncate(bytes.len() / 2));
    let short = changed("short", &|bytes| bytes.truncate(bytes.len() - 1));
    let longer = changed("longer", &|bytes| bytes.push(0));
    let flipped = changed("flipped", &|bytes| {
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
    });
    let head = changed("head", &|bytes| bytes[100] ^= 1);
    let empty = changed("empty", &|bytes| bytes.clear());
    let database = changed("database", &|bytes| *bytes = b"SQLite format 3".to_vec());

    let by_key = format!("-i {secret} --master-key-file {key}");
    let mut cases = vec![
        (format!("{file} -i {other} --master-key-file {key}"), "not for this key"),
        (format!("{file} -i {public} --master-key-file {key}"), "a public key"),
        (format!("{file} -i {secret} --master-key-file {wrong_key}"), "master key"),
        (format!("{file} -i {secret}"), "is missing"),
        (format!("{file} --passphrase-file {phrase} --master-key-file {key}"), "passphrase"),
        (
            format!("{by_phrase} --passphrase-file {wrong_phrase} --master-key-file {key}"),
            "passphrase",
        ),
        (format!("{by_phrase} -i {secret} --master-key-file {key}"), "passphrase"),
        (format!("{} {by_key}", original.file("none")), "cannot read"),
        (format!("{} {by_key}", original.keys.beside("").display()), "cannot"),
    ];
    for (damaged, why) in [
        (half, "truncated or altered"),
        (short, "truncated or altered"),
        (longer, "truncated or altered"),
        (flipped, "truncated or altered"),
        (head, "altered"),
        (empty, "ends within its header"),
        (database, "not an envelope"),
    ] {
        cases.push((format!("{damaged} {by_key}"), why));
    }
    for (line, why) in &cases {
        let copy = Folder::new();
        let ended = copy.verb(&format!("restore {line}"));
        let said: Vec<_> =
            ended.stderr.lines().filter(|line| !line.starts_with("warning: ")).collect();
        assert_eq!(said.len(), 1, "{line}: {}", ended.stderr);
        ended.refused(2, why);
        assert!(!copy.data_dir().exists(), "{line}: something is left");
    }
    if let Some(database) = Database::new() {
        for (line, why) in cases.iter().filter(|(line, _)| line.contains("master-key-file")) {
            let store = format!("--store {}", database.url());
            Folder::new().verb(&format!("restore {line} {store}")).refused(2, why);
            assert_eq!(database.tables(), 0, "{line}");
        }
    }
    Folder::new().verb(&format!("restore {file} --master-key-file {key}")).refused(2, "--identity");
    // The twin.
    Folder::new().verb(&format!("restore {file} {by_key}")).ended(0);
}

#[test]
fn what_cannot_be_backed_up_is_said_and_leaves_nothing() {
    let original = Original::new();
    let [file, public, secret] =
        ["b.pqcb", "backup.pub.pem", "backup.pem"].map(|n| original.file(n));
    let folder = original.keys.beside("").display().to_string();
    let empty = original.file("empty");
    fs::write(&empty, "\n").unwrap();
    for (line, why) in [
        (file.clone(), "--recipient"),
        (format!("{file} -r {secret}"), "a secret key"),
        (format!("{file} -r {}", original.file("none")), "cannot read"),
        (format!("{file} --passphrase-file {empty}"), "is empty"),
        (format!("{folder}none/b.pqcb -r {public}"), "cannot write"),
        (format!("{folder} -r {public} --force"), "cannot write"),
        (format!("{file} -r {public} --master-key-file {empty}"), "no master key"),
    ] {
        original.server.verb(&format!("backup {line}")).refused(2, why);
        assert!(!Path::new(&file).exists(), "{line}");
    }
    let left = fs::read_dir(original.keys.beside("")).unwrap().count();
    assert_eq!(left, 4, "two keys, a passphrase, an empty file");
    Folder::new().verb(&format!("backup {file} -r {public}")).refused(2, "there is no store");
    original.server.verb(&format!("backup {file} -r {public}")).ended(0);
}

#[test]
fn keys_that_do_not_open_are_named_by_a_backup_and_its_restore() {
    let original = Original::new();
    let (file, phrase) = (original.file("b.pqcb"), original.file("passphrase"));
    let listed = original.server.verb("keys list --json").json();
    let mut keys = listed["keys"].as_array().unwrap().iter();
    let pair = text(keys.find(|key| key["kind"] == "kem").unwrap(), "key_id");
    let options = SqliteConnectOptions::new().filename(original.server.folder.file("pqc.db"));
    let mut raw = block_on(options.connect()).unwrap();
    block_on(raw.execute("UPDATE keys SET sealed = x'01' WHERE kind = 'kem'")).unwrap();

    let backup = original.server.verb(&format!("backup {file} --passphrase-file {phrase}"));
    let backup = backup.ended(1);
    assert!(backup.stderr.contains(&format!("key {pair}, kem of default, does not open")));
    assert!(backup.stderr.contains("1 keys in it do not open"), "{backup:?}");
    let key = original.server.folder.file("master.key").display().to_string();
    let restore = format!("restore {file} --passphrase-file {phrase} --master-key-file {key}");
    let restored = Folder::new().verb(&restore).ended(0);
    assert!(restored.stdout.contains(&format!("key {pair}  kem of default  does not open")));
}

#[test]
fn a_full_disk_leaves_no_half_backup() {
    let original = Original::new();
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let phrase = original.file("passphrase");
    let dir = original.server.folder.data_dir();
    let out = pqc()
        .args(["backup", "-", "--passphrase-file", &phrase, "--data-dir"])
        .arg(dir)
        .stdout(fs::File::options().write(true).open(full).unwrap())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stderr).contains("cannot"), "{out:?}");
}

#[test]
fn a_file_that_may_not_grow_leaves_no_half_backup_and_no_half_store() {
    let original = Original::new();
    let (file, phrase) = (original.file("b.pqcb"), original.file("passphrase"));
    // In units of 512 bytes: less than a backup.
    let limited = |line: &str, folder: &Folder| {
        let mut shell = without_settings(Command::new("sh"));
        shell.args(["-c", "ulimit -f 8; exec \"$0\" \"$@\""]).arg(pqc().get_program());
        shell.args(line.split(' ')).arg("--data-dir").arg(folder.data_dir());
        run(&mut shell, b"")
    };
    let backup = format!("backup {file} --passphrase-file {phrase}");
    // Nor may the store's log grow, and what is not written down is not done.
    limited(&backup, &original.server.folder).refused(2, "a limit or quota is reached");
    let left = fs::read_dir(original.keys.beside("")).unwrap().count();
    assert_eq!(left, 3, "two keys and a passphrase");

    original.server.verb(&backup).ended(0);
    let key = original.server.folder.file("master.key").display().to_string();
    let restore = format!("restore {file} --passphrase-file {phrase} --master-key-file {key}");
    let copy = Folder::new();
    limited(&restore, &copy).refused(2, "full");
    assert!(!copy.data_dir().exists());
    copy.verb(&restore).ended(0);
}

#[test]
fn a_backup_or_a_restore_that_is_stopped_leaves_nothing() {
    let original = Original::new();
    let (file, phrase) = (original.file("b.pqcb"), original.file("passphrase"));
    let key = original.server.folder.file("master.key").display().to_string();
    original.server.verb(&format!("backup {file} --passphrase-file {phrase}")).ended(0);
    let half = fs::read(&file).unwrap();
    let half = &half[..half.len() / 2];
    fs::remove_file(&file).unwrap();

    // A store that another holds: the backup waits for it, with a file that has no name yet.
    let options = SqliteConnectOptions::new().filename(original.server.folder.file("pqc.db"));
    let mut other = block_on(options.connect()).unwrap();
    block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    let folder = original.server.folder.data_dir();
    let backup = format!("backup {file} --passphrase-file {phrase}");
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let started = Started::on(&folder, &backup, b"");
        wait_until("the unnamed file", || unnamed(&original.keys.beside("")));
        started.signal(signal).refused(code, "stopped by SIG");
        assert!(!unnamed(&original.keys.beside("")) && !Path::new(&file).exists(), "{signal}");
    }
    block_on(other.execute("ROLLBACK")).unwrap();

    // A backup of which half comes, and then nothing more.
    let restore = format!("restore - --passphrase-file {phrase} --master-key-file {key}");
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let copy = Folder::new();
        let new = copy.beside("new").join("deep");
        let started = Started::on(&new, &restore, half);
        wait_until("the unnamed store", || unnamed(&new));
        started.signal(signal).refused(code, "stopped by SIG");
        assert!(!copy.beside("new").exists(), "{signal}");
    }
}

/// Whether there is a file without a name of its own in the folder.
fn unnamed(folder: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with(".pqc-new-"))
}
