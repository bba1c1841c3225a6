//! Clocks that jump, an hour back and a day forward, under real servers: no token comes back to
//! life, and no other server's tokens age.
#![cfg(target_os = "linux")]

use std::time::Duration;

use serde_json::json;

use crate::postgres::Database;
use crate::support::{Client, Faults, Folder, now, wait_until};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Whether the token is accepted, which spends nothing.
fn lives(client: &Client) -> bool {
    let answer = client.get("/api/v1/token/self");
    if answer.status != 200 {
        answer.problem(401);
    }
    answer.status == 200
}

fn minutes(root: &Client, minutes: i64) -> Client {
    root.mint(&json!({"expiry_time": minutes * 60, "expire_after_attempts": 100}))
}

#[test]
fn on_the_embedded_store_no_jump_revives_a_token_not_even_over_a_restart() {
    let faults = Faults::none();
    let folder = Folder::new();
    let server = folder.serve_on(&faults, "--log info");
    let root = server.root();
    let before = minutes(&root, 15);
    faults.set_clock(-HOUR);
    assert!(lives(&before) && lives(&minutes(&root, 15)), "an hour back");

    faults.set_clock(DAY);
    assert!(!lives(&before), "a day forward");
    let after = minutes(&root, 15);
    after.generate();
    for back in [0, -HOUR] {
        faults.set_clock(back);
        assert!(!lives(&before) && lives(&after), "{back} s");
        assert!(server.stderr.wait_for("clock is behind the store's time"));
    }
    after.generate();

    let folder = server.kill();
    let server = folder.serve_on(&faults, "--log info");
    let (before, after) = (server.holder(&before.token), server.holder(&after.token));
    assert!(!lives(&before) && lives(&after), "over a restart");
    minutes(&server.root(), 15).generate();
    // Once the clock has caught up, time goes on.
    faults.set_clock(DAY + 14 * 60);
    assert!(lives(&after));
    faults.set_clock(DAY + 16 * 60);
    assert!(!lives(&after));
}

#[test]
fn on_postgresql_the_clock_of_one_server_is_of_no_account() {
    let Some(database) = Database::new() else { return };
    let options = format!("--log info {}", database.options());
    let faults = Faults::none();
    let (here, there) = (Folder::new(), Folder::new());
    let off = here.serve_on(&faults, &options);
    let other = there.serve_with(&options);
    let root = here.root_token();
    let (off, other) = (off.holder(&root), other.holder(&root));
    let token = minutes(&off, 15);
    for jump in [-HOUR, DAY] {
        faults.set_clock(jump);
        // What is minted on either ends by the database's clock, and on both at once.
        for (mints, looks) in [(&off, &other), (&other, &off)] {
            let minted = minutes(mints, 15);
            let elsewhere = looks.with_token(&minted.token);
            for token in [&minted, &elsewhere, &token, &other.with_token(&token.token)] {
                assert!(lives(token), "{jump} s");
                token.generate();
            }
            let short = mints.mint(&json!({"expiry_time": 1, "expire_after_attempts": 100}));
            let elsewhere = looks.with_token(&short.token);
            std::thread::sleep(Duration::from_millis(1001));
            wait_until("its end", || !lives(&short));
            assert!(!lives(&elsewhere), "{jump} s");
        }
        let told = off.with_token(&minutes(&off, 15).token).token_self();
        let ends = told["expires_at"].as_u64().unwrap_or_else(|| panic!("{told}"));
        assert!(ends.abs_diff(now() + 900) < 60, "{jump} s: {told}");
    }
}
