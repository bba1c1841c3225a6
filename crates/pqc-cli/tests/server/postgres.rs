//! Servers and verbs on PostgreSQL: in a database of each test, in the cluster that
//! `PQC_TEST_POSTGRES` names.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::support::{Call, Folder, Server, block_on, text, wait_until};

/// A database, and the key of the store in it.
pub(crate) struct Database {
    pub(crate) url: String,
    keys: Folder,
}

impl Database {
    /// `None`: there is no cluster.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(cluster) = std::env::var("PQC_TEST_POSTGRES") else {
            eprintln!("\nSKIPPED: PQC_TEST_POSTGRES is not set (`cargo xtask test` sets it)\n");
            return None;
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("server_{}_{count}", std::process::id());
        let (base, _) = cluster.rsplit_once('/').unwrap();
        let made = Self { url: format!("{base}/{name}"), keys: Folder::new() };
        block_on(execute(&cluster, &format!("CREATE DATABASE {name}")));
        fs::write(made.keys.beside("key"), "5a".repeat(32)).unwrap();
        Some(made)
    }

    /// What names the store and its key.
    pub(crate) fn options(&self) -> String {
        format!("--store {} --master-key-file {}", self.url, self.keys.beside("key").display())
    }

    pub(crate) fn serve(&self, folder: &Folder) -> Server {
        folder.serve_with(&format!("--log trace {}", self.options()))
    }

    fn password(&self) -> &str {
        let (_, rest) = self.url.split_once("://").unwrap();
        rest.split_once('@').unwrap().0.split_once(':').unwrap().1
    }

    /// Runs SQL past the store's back; gives the count of changed rows.
    pub(crate) fn execute(&self, sql: impl Into<String>) -> u64 {
        block_on(execute(&self.url, &sql.into()))
    }

    /// Where it is, with the password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many tables are in it.
    pub(crate) fn tables(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        block_on(async {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        })
    }
}

async fn execute(url: &str, sql: &str) -> u64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap().rows_affected()
}

#[test]
fn two_servers_on_one_database_are_one_service() {
    let Some(database) = Database::new() else { return };
    let (here, there) = (Folder::new(), Folder::new());
    let one = database.serve(&here);
    let other = database.serve(&there);
    assert!(!there.data_dir().exists(), "who made the account has its token");
    assert_eq!(fs::read_dir(here.data_dir()).unwrap().count(), 2, "the token, and the lock");
    let root = here.root_token();

    // A key made on one is used on the other.
    let pair = one.holder(&root).generate();
    let (cipher, shared_key) = pair.encapsulated_by(&other.holder(&root));
    let fields = json!({"cipher": cipher, "pk": pair.pk});
    let answer = other.holder(&root).post("/api/kem/decapsulate_key", &fields).ok();
    assert_eq!(answer["shared_key"], shared_key);

    // A token minted on one is used on the other, and counted once for both.
    let token = one.holder(&root).mint_counted(3);
    let elsewhere = other.holder(&token.token);
    elsewhere.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok_text();
    assert_eq!((token.attempts_left(), elsewhere.attempts_left()), (2, 2));

    // Revoked on one, it is refused at once by the other.
    let id = text(&token.token_self(), "id");
    let revoked = here.verb(&format!("token revoke {id} {}", database.options()));
    revoked.ended(0);
    elsewhere.get("/api/v1/token/self").problem(401);
    token.get("/api/v1/token/self").problem(401);

    // An account made beside them, and the custody of another, hold on both.
    let line = format!("account new alice --custody client {}", database.options());
    let alice = there.verb(&line).line();
    for server in [&one, &other] {
        assert!(server.holder(&alice).generate().sk.is_some());
    }
    let listed = here.verb(&format!("token list --json {}", database.options())).json();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    let shown =
        |folder: &Folder| folder.verb(&format!("issuer show --json {}", database.options())).json();
    assert_eq!(shown(&here), shown(&there));

    // One ends, and the other goes on.
    let ended = one.stop();
    other.holder(&root).token_self();
    for log in [ended.stderr, other.stop().stderr] {
        assert!(!log.contains(database.password()), "the password is in the log");
    }
}

#[test]
fn what_is_revoked_on_one_server_is_refused_by_the_other_within_a_second() {
    let Some(database) = Database::new() else { return };
    let (here, there) = (Folder::new(), Folder::new());
    let servers = [database.serve(&here), database.serve(&there)];
    let verb = |line: &str| here.verb(&format!("{line} {}", database.options()));
    let root = verb("account new alice").line();
    let mint = |root: &str| servers[0].holder(root).mint_counted(1_000_000).token;
    let about = Call::get("/api/v1/token/self");
    let use_it = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x"}));
    let ends = |line: &str, tokens: &[&String], new: &mut String| {
        let clients: Vec<_> = servers
            .iter()
            .flat_map(|server| tokens.iter().map(|token| server.holder(token)))
            .collect();
        for client in &clients {
            client.send(&about).ok();
            client.send(&use_it).ok();
        }
        // Both servers are in use meanwhile.
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for client in &clients {
                scope.spawn(|| {
                    let done = || is_done.load(Ordering::SeqCst);
                    while !done() {
                        let status = client.send(&use_it).status;
                        assert!([200, 401].contains(&status), "{status}");
                    }
                });
            }
            *new = verb(line).ended(0).stdout.trim_end().to_owned();
            let ended = Instant::now();
            for client in &clients {
                // It is at once, in truth: no server remembers a token.
                client.send(&use_it).problem(401);
                client.send(&about).problem(401);
            }
            is_done.store(true, Ordering::SeqCst);
            assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
        });
    };

    let (token, other) = (mint(&root), mint(&root));
    let id = text(&servers[1].holder(&token).token_self(), "id");
    ends(&format!("token revoke {id} --account alice"), &[&token], &mut String::new());
    let mut new_root = String::new();
    ends("token root-reset --account alice", &[&root, &other], &mut new_root);
    let token = mint(&new_root);
    ends("account disable alice", &[&new_root, &token], &mut String::new());
    verb("account enable alice").ended(0);
    for server in &servers {
        server.holder(&new_root).send(&about).ok();
        server.holder(&token).send(&use_it).ok();
    }
}

#[test]
fn servers_that_start_together_make_one_account() {
    let Some(database) = Database::new() else { return };
    let folders: Vec<_> = (0..4).map(|_| Folder::new()).collect();
    let servers: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            folders.iter().map(|folder| scope.spawn(|| database.serve(folder))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let tokens: Vec<_> =
        folders.iter().filter(|folder| folder.file("root-token").exists()).collect();
    assert_eq!(tokens.len(), 1, "one has the token");
    for server in &servers {
        assert_eq!(server.holder(&tokens[0].root_token()).token_self()["kind"], "root");
    }
    let shown = servers.into_iter().map(|server| server.stop().stderr.matches("pqc_r_").count());
    assert_eq!(shown.sum::<usize>(), 1, "and it is shown once");
}

#[test]
fn what_cannot_be_used_is_one_line_and_changes_nothing() {
    let Some(database) = Database::new() else { return };
    let key = database.keys.beside("key").display().to_string();
    let given = |url: &str| format!("--store {url} --master-key-file {key}");
    let unreachable = "postgres://me:hunter2@127.0.0.1:1/db";
    let foreign = Database::new().unwrap();
    foreign.execute("CREATE TABLE photos (id BIGINT)");
    let cases = [
        (given("postgres://me:hunter2@host"), "names no database"),
        (given("postgres://me:hunter2@host:99999/db"), "its form, its port"),
        (given("postgres://me:hunter2@host/db?passwort=hunter2"), "what may follow the ?"),
        (given("mysql://me:hunter2@host/db"), "cannot have a mysql: URL"),
        (given(unreachable), "refused"),
        (format!("--store {unreachable}"), "needs --master-key-file"),
        (given(&foreign.url), "another program"),
        (given(&database.url.replace(database.password(), "hunter2")), "not available"),
        (given(&format!("{}_none", database.url)), "does not exist"),
        (format!("--store {} --master-key-file /no/such/key", database.url), "is missing"),
    ];
    for (options, why) in &cases {
        for verb in ["serve --listen 127.0.0.1:0", "account list", "token list", "issuer show"] {
            let folder = Folder::new();
            let refused = folder.verb(&format!("{verb} {options}"));
            assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
            assert!(!refused.stderr.contains(database.password()), "{refused:?}");
            let of_the_key = |line: &&str| line.contains("can be read by others");
            let said = refused.stderr.lines().filter(|line| !of_the_key(line)).count();
            assert_eq!(said, 1, "{refused:?}");
            refused.refused(2, why);
            assert!(!folder.data_dir().exists(), "{verb} {options}");
        }
    }
    assert_eq!((database.tables(), foreign.tables()), (0, 1));

    // A verb makes no store; a server does, and then the verb works.
    let folder = Folder::new();
    let line = format!("account list {}", given(&database.url));
    folder.verb(&line).refused(2, "there is no store in the database");
    assert_eq!(database.tables(), 0);
    let server = database.serve(&folder);
    folder.verb(&line).ended(0);
    server.stop();

    // Another key than that of the store.
    let wrong = database.keys.beside("wrong");
    fs::write(&wrong, "5b".repeat(32)).unwrap();
    let options = format!("--store {} --master-key-file {}", database.url, wrong.display());
    for verb in ["serve --listen 127.0.0.1:0", "account list"] {
        let why = "the master key does not open this store";
        folder.verb(&format!("{verb} {options}")).refused(2, why);
    }
}

#[test]
fn a_folder_that_cannot_take_the_first_token_leaves_the_database_as_it_is() {
    let Some(database) = Database::new() else { return };
    let line = format!("serve --listen 127.0.0.1:0 {}", database.options());
    // The token of another store: maybe of this one, before it was lost.
    let folder = Folder::new();
    fs::create_dir_all(folder.data_dir()).unwrap();
    fs::write(folder.file("root-token"), "another's").unwrap();
    folder.verb(&line).refused(2, "the store has no account");
    assert_eq!((folder.root_token().as_str(), database.tables()), ("another's", 0));
    let nowhere = Folder::new();
    fs::write(nowhere.data_dir(), "a file").unwrap();
    nowhere.verb(&line).refused(2, "cannot make the data folder");
    assert_eq!(database.tables(), 0);
    // Its twin, and the way out.
    fs::remove_file(folder.file("root-token")).unwrap();
    let server = database.serve(&folder);
    server.root().token_self();
    // The token of another store is not put over by a reset, either.
    fs::write(folder.file("root-token"), "another's").unwrap();
    let reset = format!("token root-reset {}", database.options());
    let reset = folder.verb(&reset).ended(0);
    assert!(reset.stderr.contains("holds another token"), "{reset:?}");
    assert_eq!(folder.root_token(), "another's");
    assert_eq!(server.holder(reset.stdout.trim_end()).token_self()["kind"], "root");
}

#[test]
fn the_token_of_an_embedded_store_is_left_alone() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new();
    folder.serve().stop();
    let token = folder.root_token();
    let line = format!("serve --listen 127.0.0.1:0 {}", database.options());
    folder.verb(&line).refused(2, "another folder (--data-dir)");
    assert_eq!(folder.root_token(), token);
    // Nor is it rewritten by a reset on the database, as that of the server's own folder is.
    let server = database.serve(&Folder::new());
    let before = server.folder.root_token();
    let reset = format!("token root-reset {}", database.options());
    let new = server.folder.verb(&reset).line();
    assert!(new != before && server.folder.root_token() == new);
    folder.verb(&reset).ended(0);
    assert_eq!(folder.root_token(), token);
}

#[test]
fn what_a_database_says_of_itself_is_in_the_log_and_nowhere_else() {
    let Some(database) = Database::new() else { return };
    let server = database.serve(&Folder::new());
    assert_eq!(server.anyone().get("/readyz").status, 200);
    let (cluster, name) = database.url.rsplit_once('/').unwrap();
    let cluster = format!("{cluster}/postgres");
    for sql in [
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        block_on(execute(&cluster, &sql));
    }
    let refused = server.anyone().get("/readyz");
    assert_eq!(refused.problem(503)["detail"], "the store is not available");
    block_on(execute(&cluster, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")));
    wait_until("it is there again", || server.anyone().get("/readyz").status == 200);
    let log = server.stop().stderr;
    assert!(log.contains("is not currently accepting connections"), "{log}");
}
