//! `kill -9` of a server at random moments, under load: what was answered is there, nothing is
//! spent twice, and the next start needs no help.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::postgres::Database;
use crate::support::{Client, Folder, Ledger, Load, Server, block_on, pqc};
use crate::torture::{Moments, rounds};

const GRANTED: u32 = 1_000_000;
const DAY: u32 = 86_400;
const LOG: &str = "--log warn";

/// What was told in all rounds.
struct History {
    counted: String,
    told: Ledger,
}

impl History {
    fn of(root: &Client) -> Self {
        let terms = json!({"expire_after_attempts": GRANTED, "expiry_time": DAY});
        Self { counted: root.mint(&terms).token, told: Ledger::default() }
    }

    /// Adds a round, and looks at all that it gave out, and at some of what others did.
    fn add(&mut self, round: Ledger, root: &Client) {
        self.told.spent += round.spent;
        self.told.doubtful += round.doubtful;
        let (spent, doubtful) = (self.told.spent, self.told.doubtful);
        let now = Ledger { spent, doubtful, ..round };
        now.assert_kept(root, &self.counted, GRANTED.into());
        self.told.keys.extend(now.keys.into_iter().take(1));
        self.told.assert_kept(root, &self.counted, GRANTED.into());
        self.told.refused += now.refused;
    }

    fn end(self, rounds: u32) {
        let Ledger { spent, doubtful, refused, .. } = self.told;
        println!("{rounds} rounds: {spent} spent, {doubtful} in doubt, {refused} refused");
        assert!(spent > u64::from(rounds) && !self.told.keys.is_empty());
    }
}

/// A server that lives under load, dies, and comes again; some die while they start.
fn lives_and_deaths(options: &str, look: impl Fn(&Folder)) {
    let rounds = rounds(4);
    let mut moments = Moments::new();
    let mut folder = Folder::new();
    let mut server = folder.serve_with(options);
    let root_token = folder.root_token();
    let mut history = History::of(&server.holder(&root_token));
    for round in 0..rounds {
        let load = Load::on(&[server.holder(&root_token)], &history.counted);
        std::thread::sleep(Duration::from_millis(20) + moments.less_than(250));
        folder = server.kill();
        let told = load.end();
        if round % 3 == 0 {
            start_and_die(&folder, options, moments.less_than(150));
        }
        server = folder.serve_with(options);
        history.add(told, &server.holder(&root_token));
        look(&folder);
    }
    let store = options.trim_start_matches(LOG);
    let tokens = folder.verb(&format!("token list --json{store}")).json();
    assert!(tokens["tokens"].as_array().unwrap().len() > 1);
    history.end(rounds);
}

fn start_and_die(folder: &Folder, options: &str, life: Duration) {
    let mut start = pqc();
    start.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.data_dir());
    start.args(options.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    let mut start = start.spawn().unwrap();
    std::thread::sleep(life);
    start.kill().unwrap();
    start.wait().unwrap();
}

#[test]
fn on_the_embedded_store_nothing_answered_is_lost() {
    lives_and_deaths(LOG, |folder| {
        assert_eq!(block_on(flaws(&folder.file("pqc.db"))), ["ok"]);
    });
}

/// What SQLite finds wrong with its file: a half record would be among it.
async fn flaws(database: &Path) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    let mut other = options.connect().await.unwrap();
    let found = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut other).await.unwrap();
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut other).await.unwrap();
    assert!(orphans.is_empty());
    other.close().await.unwrap();
    found
}

#[test]
fn on_postgresql_nothing_answered_is_lost() {
    let Some(database) = Database::new() else { return };
    lives_and_deaths(&format!("{LOG} {}", database.options()), |_| {});
}

#[test]
fn of_three_servers_one_dies_and_the_others_lose_nothing() {
    let Some(database) = Database::new() else { return };
    let rounds = rounds(3);
    let mut moments = Moments::new();
    let options = format!("{LOG} {}", database.options());
    let maker = Folder::new();
    let mut servers: Vec<Server> = vec![maker.serve_with(&options)];
    servers.extend((0..2).map(|_| Folder::new().serve_with(&options)));
    let root_token = maker.root_token();
    let mut history = History::of(&servers[0].holder(&root_token));
    for round in 0..rounds {
        let roots: Vec<_> = servers.iter().map(|server| server.holder(&root_token)).collect();
        let load = Load::on(&roots, &history.counted);
        std::thread::sleep(Duration::from_millis(20) + moments.less_than(250));
        let folder = servers.remove(round as usize % 3).kill();
        std::thread::sleep(moments.less_than(200));
        let told = load.end();
        history.add(told, &servers[0].holder(&root_token));
        servers.push(folder.serve_with(&options));
    }
    history.end(rounds);
}
