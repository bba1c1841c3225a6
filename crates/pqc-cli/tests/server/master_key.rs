//! `pqc master-key`: made, changed under load, killed half way and carried on; and passphrases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::postgres::Database;
use crate::support::{
    Capture, Client, Folder, KeyPair, KilledOnDrop, Run, Server, pqc, run, together,
};

/// A store of one kind, and the files of its keys.
struct Place {
    folder: Folder,
    database: Option<Database>,
}

impl Place {
    fn on_sqlite() -> Self {
        Self { folder: Folder::new(), database: None }
    }

    /// `None`: there is no cluster.
    fn on_postgres() -> Option<Self> {
        Some(Self { folder: Folder::new(), database: Some(Database::new()?) })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.beside(name)
    }

    /// A new master key in the file of that name.
    fn make_key(&self, name: &str) {
        new_key(&self.file(name), &[]).ended(0);
    }

    /// What names the store.
    fn store(&self) -> String {
        self.database.as_ref().map_or_else(String::new, |at| format!(" --store {}", at.url))
    }

    /// What names the store and the key in the file of that name.
    fn options(&self, key: &str) -> String {
        format!("--master-key-file {}{}", self.file(key).display(), self.store())
    }

    fn serve(&self, key: &str) -> Server {
        self.folder.serve_with(&self.options(key))
    }

    fn verb(&self, line: &str, key: &str) -> Run {
        self.folder.verb(&format!("{line} {}", self.options(key)))
    }

    /// Rotates from one file to the other.
    fn rotate(&self, from: &str, to: &str) -> Run {
        self.verb(&format!("master-key rotate --to {}", self.file(to).display()), from)
    }

    fn status(&self, key: &str) -> Value {
        self.verb("master-key status --json", key).json()
    }
}

/// Both kinds, as far as they are there.
fn places() -> impl Iterator<Item = Place> {
    [Some(Place::on_sqlite()), Place::on_postgres()].into_iter().flatten()
}

fn new_key(file: &Path, more: &[&str]) -> Run {
    run(pqc().args(["master-key", "new", "--out"]).arg(file).args(more), b"")
}

fn decapsulates(client: &Client, pair: &KeyPair) {
    let (cipher, shared_key) = pair.encapsulated_by(client);
    let fields = json!({"cipher": cipher, "pk": pair.pk});
    let answer = client.post("/api/kem/decapsulate_key", &fields).ok();
    assert_eq!(answer["shared_key"], shared_key);
}

fn uses_every_key(client: &Client, pair: &KeyPair) {
    decapsulates(client, pair);
    let sealed = client.post("/api/aes/encrypt_text", &json!({"unencrypted": "text"})).ok_text();
    let opened = client.post("/api/aes/decrypt_text", &json!({"ciphertext": sealed})).ok_text();
    assert_eq!(opened, "text");
    client.post("/api/signature/sign", &json!({"data": "text"})).ok();
}

/// Uses keys, and makes some, until it is told to end; gives those that it made.
fn load(clients: &[Client], pair: &KeyPair, over: &AtomicBool) -> Vec<KeyPair> {
    let mut made = Vec::new();
    while !over.load(Ordering::Relaxed) {
        for client in clients {
            made.push(client.generate());
            uses_every_key(client, pair);
        }
    }
    made
}

/// Ends the load, whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_rotation_is_killed_under_load_and_carried_on() {
    for place in places() {
        for name in ["one", "two", "three"] {
            place.make_key(name);
        }
        let many = place.database.is_some();
        let first = place.serve("one");
        let second = many.then(|| place.serve("one"));
        let token = place.folder.root_token();
        let clients: Vec<_> =
            second.iter().chain([&first]).map(|server| server.holder(&token)).collect();
        let pair = clients[0].generate();
        let client = clients[0].clone();
        let pairs = together(400, move |_| {
            let client = client.clone();
            async move { tokio::task::spawn_blocking(move || client.generate()).await.unwrap() }
        });

        let over = AtomicBool::new(false);
        let made = std::thread::scope(|scope| {
            let ended = Over(&over);
            let loads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| load(&clients, &pair, &over))).collect();
            let to = place.file("two");
            let line = format!("master-key rotate --to {} {}", to.display(), place.options("one"));
            let mut rotate = pqc();
            rotate.args(line.split(' ')).arg("--data-dir").arg(place.folder.data_dir());
            rotate.stdout(Stdio::null()).stderr(Stdio::piped());
            let mut rotate = KilledOnDrop(rotate.spawn().unwrap());
            let said = Capture::of(rotate.0.stderr.take().unwrap());
            assert!(said.wait_for("has begun"), "{}", said.so_far());
            std::thread::sleep(Duration::from_millis(60));
            drop(rotate); // SIGKILL

            // Half way, both keys open the store, and no other.
            for key in ["one", "two"] {
                assert_eq!(place.status(key)["rotating"], true);
            }
            place.verb("account list", "three").refused(2, "the master key does not open");
            let late = many.then(|| ["one", "two"].map(|key| place.serve(key)));
            for server in late.iter().flatten() {
                uses_every_key(&server.holder(&token), &pair);
            }
            for (to, why) in [("three", "another master key"), ("one", "another master key")] {
                place.rotate("one", to).refused(2, why);
            }
            let done = place.rotate("one", "two");
            assert!(done.stderr.contains("goes on"), "{done:?}");
            assert!(done.ended(0).stdout.contains("master key version 2 is in force"));
            std::thread::sleep(Duration::from_secs(1));
            for server in late.iter().flatten() {
                uses_every_key(&server.holder(&token), &pair);
            }
            drop(ended);
            let made = loads.into_iter().flat_map(|load| load.join().unwrap());
            made.collect::<Vec<_>>()
        });

        for server in second.into_iter().chain([first]) {
            server.stop();
        }
        // The older key is told, and the new one opens everything.
        for line in ["account list", "serve --listen 127.0.0.1:0", "master-key status"] {
            place
                .verb(line, "one")
                .refused(2, "version 1, which was retired by the rotation of 20");
        }
        let status = place.status("two");
        // Beside them the first pair, the account's AES and signing keys, the issuer's and the audit's.
        let all = made.len() + pairs.len() + 5;
        let counts = status["master_keys"].as_array().unwrap().iter().map(|key| &key["keys"]);
        assert_eq!(counts.collect::<Vec<_>>(), [&json!(0), &json!(all)]);
        let fresh = place.serve("two");
        let client = fresh.holder(&token);
        for pair in made.iter().chain(&pairs) {
            decapsulates(&client, pair);
        }
        uses_every_key(&client, &pair);
        assert!(!made.is_empty());
    }
}

#[test]
fn a_server_that_was_asked_nothing_has_followed() {
    for place in places() {
        place.make_key("one");
        place.make_key("two");
        let server = place.serve("one");
        let pair = server.root().generate();
        place.rotate("one", "two").ended(0);
        let ready = server.anyone().get("/readyz").ok();
        assert_eq!(ready["status"], "ready");
        uses_every_key(&server.root(), &pair);
        // And again, from there.
        place.make_key("three");
        place.rotate("two", "three").ended(0);
        uses_every_key(&server.root(), &pair);
        for (retired, version) in [("one", 1), ("two", 2)] {
            let why = format!("the master key of version {version}, which was retired");
            place.verb("token list", retired).refused(2, &why);
        }
        place.verb("token list", "three").ended(0);
    }
}

#[test]
fn the_folders_own_key_is_left_where_it_is() {
    let place = Place::on_sqlite();
    let folder = &place.folder;
    place.make_key("two");
    let server = folder.serve();
    let pair = server.root().generate();
    let own = fs::read(folder.file("master.key")).unwrap();
    let to = place.file("two").display().to_string();
    let done = folder.verb(&format!("master-key rotate --to {to}")).ended(0);
    let said = format!("start servers with --master-key-file {to}");
    assert!(done.stderr.contains(&said) && done.stderr.contains("master.key is retired"));
    assert_eq!(fs::read(folder.file("master.key")).unwrap(), own);
    uses_every_key(&server.root(), &pair);
    server.stop();
    for line in ["serve --listen 127.0.0.1:0", "account list"] {
        folder.verb(line).refused(2, "name the file of version 2 with --master-key-file");
        folder.verb(line).refused(2, "master.key holds the master key of version 1");
    }
    assert_eq!(fs::read(folder.file("master.key")).unwrap(), own);
    let server = place.serve("two");
    uses_every_key(&server.root(), &pair);
    server.stop();
    // As it says, too.
    fs::rename(folder.file("master.key"), place.file("one")).unwrap();
    fs::copy(&to, folder.file("master.key")).unwrap();
    uses_every_key(&folder.serve().root(), &pair);
}

#[test]
fn a_new_master_key_is_a_file_of_its_owner() {
    let folder = Folder::new();
    let file = folder.beside("key");
    let made = new_key(&file, &["--json"]).json();
    assert_eq!(made["master_key_file"], file.display().to_string());
    let text = fs::read_to_string(&file).unwrap();
    let digits = text.strip_suffix('\n').unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = new_key(&file, &[]);
    assert!(!again.stderr.contains(digits));
    again.refused(2, "--force");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let forced = new_key(&file, &["--force"]).ended(0);
    assert_ne!(fs::read_to_string(&file).unwrap(), text);
    assert!(!forced.stdout.contains(fs::read_to_string(&file).unwrap().trim()));
    new_key(&folder.beside("no/such/folder"), &[]).refused(2, "cannot write");
    new_key(&folder.beside("."), &["--force"]).refused(2, "cannot write");
}

#[test]
fn a_bad_master_key_file_is_one_line_and_changes_nothing() {
    for place in places() {
        place.make_key("one");
        place.make_key("good");
        place.serve("one").stop();
        let good = fs::read_to_string(place.file("good")).unwrap();
        fs::write(place.file("empty"), "").unwrap();
        fs::write(place.file("short"), &good[..62]).unwrap();
        fs::write(place.file("words"), "z".repeat(64)).unwrap();
        fs::write(place.file("long"), format!("{good}{good}")).unwrap();
        fs::create_dir(place.file("folder")).unwrap();
        let before = place.status("one");
        for (to, why) in [
            ("missing", "is missing: it must hold 64 hex digits"),
            ("empty", "64 hex digits"),
            ("short", "64 hex digits"),
            ("words", "64 hex digits"),
            ("long", "64 hex digits"),
            ("folder", "cannot read the master key"),
            ("one", "knows already"),
        ] {
            let refused = place.rotate("one", to);
            assert!(!refused.stderr.contains(&good[..62]), "{refused:?}");
            assert_eq!(refused.stderr.matches('\n').count(), 1, "{refused:?}");
            refused.refused(2, why);
        }
        let line = "master-key rotate";
        place.verb(line, "one").ended(2);
        let to = format!("{line} --to {0} --to-passphrase-file {0}", place.file("good").display());
        place.verb(&to, "one").ended(2);
        place.rotate("good", "one").refused(2, "the master key does not open this store");
        assert_eq!(place.status("one"), before);

        // One that others can read is a warning, and nothing more.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(0o644);
            fs::set_permissions(place.file("good"), mode).unwrap();
            let done = place.rotate("one", "good").ended(0);
            assert!(done.stderr.contains("can be read by others"), "{done:?}");
        }
    }
    let nowhere = Place::on_sqlite();
    nowhere.make_key("one");
    nowhere.make_key("two");
    nowhere.rotate("one", "two").refused(2, "there is no store");
    nowhere.verb("master-key status", "one").refused(2, "there is no store");
    assert!(!nowhere.folder.data_dir().exists());
}

#[test]
fn a_store_is_opened_by_its_passphrase() {
    for place in places() {
        let folder = &place.folder;
        let write = |name: &str, text: &str| fs::write(place.file(name), text).unwrap();
        write("right", "a sentence of mine\nnot this line\n");
        write("wrong", "a sentence of yours\n");
        write("short", "hunter2\n");
        write("other", "another sentence of mine\n");
        place.make_key("key");
        let named = |name: &str| {
            let file = place.file(name).display().to_string();
            format!("--master-passphrase-file {file}{}", place.store())
        };
        let serve = |name: &str| format!("serve --listen 127.0.0.1:0 {}", named(name));
        folder.verb(&serve("short")).refused(2, "15 to 1024 bytes");
        folder.verb(&serve("missing")).refused(2, "is missing: its first line must be");
        let both = format!("{} --master-key-file {}", named("right"), place.file("key").display());
        folder.verb(&format!("account list {both}")).refused(2, "leave one of them out");

        let server = folder.serve_with(&named("right"));
        assert!(!folder.file("master.key").exists());
        let pair = server.root().generate();
        folder.verb(&serve("wrong")).ended(2);
        for (line, why) in [
            (format!("account list {}", named("wrong")), "the master key does not open this store"),
            (format!("account list {}", named("short")), "15 to 1024 bytes"),
            (
                format!("account list {}", place.options("key")),
                "made from a passphrase: name its file with --master-passphrase-file",
            ),
        ] {
            let refused = folder.verb(&line);
            assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
            refused.refused(2, why);
        }
        folder.verb(&format!("account list {}", named("right"))).ended(0);

        // To another passphrase, and on to a key.
        let to = place.file("other").display().to_string();
        let line = format!("master-key rotate --to-passphrase-file {to} {}", named("right"));
        let done = folder.verb(&line).ended(0);
        assert!(done.stderr.contains(&format!("--master-passphrase-file {to}")), "{done:?}");
        // Given again, by one who did not see its end.
        let again = folder.verb(&line).ended(0);
        assert!(again.stderr.contains("has ended before"), "{again:?}");
        let to = place.file("key").display().to_string();
        folder.verb(&format!("master-key rotate --to {to} {}", named("other"))).ended(0);
        uses_every_key(&server.root(), &pair);
        let token = folder.root_token();
        server.stop();
        let server = place.serve("key");
        uses_every_key(&server.holder(&token), &pair);
        for (name, version) in [("right", 1), ("other", 2)] {
            let why = format!("version {version}, which was retired by the rotation of 20");
            folder.verb(&format!("token list {}", named(name))).refused(2, &why);
        }
    }
}
