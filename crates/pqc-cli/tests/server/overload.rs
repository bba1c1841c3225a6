//! More than the server can do: the rest is refused at once, nothing is lost, and it says how it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection, Executor};

use crate::store_unavailable::open;
use crate::support::{Answer, Call, Client, Folder, Raw, Server, block_on, together};

/// The answers to this many calls at once, with the time that each took.
fn at_once(count: usize, client: &Client, call: &Call) -> Vec<(Answer, Duration)> {
    together(count, |_| {
        let (client, call) = (client.clone(), call.clone());
        async move {
            let begin = Instant::now();
            (client.try_send(call).await.unwrap(), begin.elapsed())
        }
    })
}

fn is_shed(answer: &Answer) -> bool {
    let shed = answer.status == 503 && answer.json()["type"] == "urn:pqc:problem:overload";
    if shed {
        let problem = answer.problem(503);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(problem.get("attempt"), None, "nothing was spent, and that is known");
    }
    shed
}

#[test]
fn when_the_store_stands_still_the_queue_before_it_has_an_end() {
    const MOST: usize = 8;
    let server = Folder::new().serve_with(&format!("--log warn --max-calls-in-flight {MOST}"));
    let token = server.root().mint_counted(100);
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x"}));
    // Another program keeps the server from writing, for longer than it waits for that.
    let mut other = block_on(open(&server.folder.file("pqc.db")));
    block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    let answers = std::thread::scope(|scope| {
        let calls = scope.spawn(|| at_once(10 * MOST, &token, &call));
        std::thread::sleep(Duration::from_secs(1));
        let begin = Instant::now();
        server.anyone().get("/healthz").ok();
        assert!(begin.elapsed() < Duration::from_secs(1), "health waits for nobody");
        calls.join().unwrap()
    });
    block_on(other.execute("ROLLBACK")).unwrap();
    block_on(other.close()).unwrap();

    let (shed, waited): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| is_shed(answer));
    assert!((1..=MOST).contains(&waited.len()), "{} waited", waited.len());
    for (answer, took) in waited {
        assert_eq!(answer.problem(503)["type"], "urn:pqc:problem:store-unavailable");
        assert!(*took > Duration::from_secs(1), "{took:?}");
    }
    for (_, took) in shed {
        assert!(*took < Duration::from_secs(1), "a refusal took {took:?}");
    }
    // Nothing was spent, and the places are free again.
    assert_eq!(token.attempts_left(), 100);
    for _ in 0..2 * MOST {
        token.send(&call).ok_text();
    }
}

#[test]
fn when_the_processors_are_busy_some_are_served_others_refused_and_health_is_answered() {
    let server = Folder::new().serve_with("--log warn --max-calls-in-flight 2");
    let root = server.root();
    let text = "x".repeat(2 * 1024 * 1024);
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": text, "key": KEY}));
    let over = AtomicBool::new(false);
    let (mut served, mut shed) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for path in ["/healthz", "/readyz"] {
                    server.anyone().get(path).ok();
                }
            }
        });
        for _ in 0..5 {
            for (answer, _) in at_once(20, &root, &call) {
                match answer.status {
                    200 => served += 1,
                    _ => shed += usize::from(is_shed(&answer)),
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(served + shed, 100);
    assert!(served > 0 && shed > 0, "{served} served, {shed} refused");
    root.send(&call).ok_text();
}

#[test]
fn calls_whose_bodies_are_slow_take_no_place() {
    let server = Folder::new().serve_with("--log warn --max-calls-in-flight 4");
    let mut slow: Vec<_> = (0..12).map(|_| begun(&server)).collect();
    // The server has looked at their tokens by then.
    std::thread::sleep(Duration::from_millis(500));
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x", "key": KEY}));
    for _ in 0..20 {
        server.root().send(&call).ok_text();
    }
    for raw in &mut slow {
        raw.write(r#"pted":"x","key":""#).write(KEY).write("\"}");
        assert_eq!(raw.answer().status, 200);
    }
}

#[test]
fn calls_that_are_refused_before_their_bodies_come_take_no_place() {
    let server = Folder::new().serve_with("--log warn --max-calls-in-flight 4 --token-rate 1000");
    let root = server.folder.root_token();
    let narrow = server.root().mint(&json!({"operations": ["verify"]})).token;
    let json = "Content-Type: application/json";
    // Out of scope; another media type; answered without their bodies, which come all the same.
    let early = [
        ("POST /api/aes/encrypt_text", &narrow, json),
        ("POST /api/aes/encrypt_text", &root, "Content-Type: text/plain"),
        ("GET /api/v1/keys", &root, json),
        ("GET /api/v1/token/self", &narrow, json),
        ("GET /.well-known/jwks.json", &root, json),
    ];
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x", "key": KEY}));
    for (line, token, kind) in early {
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let mut raw = server.raw();
                let authorization = format!("Authorization: Bearer {token}");
                let headers = [&*authorization, kind, "Content-Length: 92"];
                raw.head(&format!("{line} HTTP/1.1"), &headers).write("{");
                std::thread::sleep(Duration::from_millis(50));
                raw
            })
            .collect();
        for _ in 0..20 {
            server.root().send(&call).ok_text();
        }
        drop(waiting);
    }
}

/// A call whose body is not sent to its end.
fn begun(server: &Server) -> Raw {
    let mut raw = server.raw();
    let authorization = format!("Authorization: Bearer {}", server.folder.root_token());
    let headers = [&*authorization, "Content-Type: application/json", "Content-Length: 92"];
    raw.head("POST /api/aes/encrypt_text HTTP/1.1", &headers).write(r#"{"unencry"#);
    // One after the other: each needs a place for the look for its token.
    std::thread::sleep(Duration::from_millis(100));
    raw
}

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";
