//! Limits by address and by token, whom a call comes from, pages of other origins, and the settings
//! of all that.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, Call, Client, Folder, Scrape, block_on, together, wait_until};

/// A call that a proxy passes on for a client at this address.
fn from(address: &str, call: &Call) -> Call {
    call.clone().header("x-forwarded-for", address)
}

fn about() -> Call {
    Call::get("/api/v1/token/self")
}

fn at_once(count: usize, client: &Client, call: &Call) -> Vec<Answer> {
    together(count, |_| {
        let (client, call) = (client.clone(), call.clone());
        async move { client.try_send(call).await.unwrap() }
    })
}

fn refused(answer: &Answer) -> u64 {
    assert_eq!(answer.problem(429)["type"], "urn:pqc:problem:rate-limit");
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn an_address_that_calls_too_often_is_told_to_wait() {
    let server = Folder::new().serve_with("--trusted-proxies 127.0.0.1 --address-rate 5");
    let root = server.root();
    let answers = at_once(40, &root, &from("203.0.113.7", &about()));
    assert!(answers.iter().filter(|answer| answer.status == 200).count() >= 5);
    let refusal = answers.iter().find(|answer| answer.status != 200).expect("one is refused");
    assert_eq!(refused(refusal), 1);
    assert_eq!(refusal.header("ratelimit"), None, "nothing is told before the token is known");
    // Another one's address is not his; nor is a name that the client made up before the proxy.
    assert_eq!(root.send(&from("203.0.113.8", &about())).status, 200);
    assert_eq!(root.send(&from("203.0.113.7, 203.0.113.9", &about())).status, 200);
    // Those whom the proxy does not name are one.
    refused(at_once(40, &root, &about()).iter().find(|answer| answer.status != 200).unwrap());
    // The proxy's own calls, and those to find out how the server is.
    assert!((0..20).all(|_| root.send(&from("127.0.0.1", &about())).status == 200));
    assert!((0..20).all(|_| {
        server.anyone().send(&from("203.0.113.7", &Call::get("/healthz"))).status == 200
    }));
}

#[test]
fn on_loopback_nobody_is_limited_by_address_and_no_header_is_believed() {
    let server = Folder::new().serve_with("--address-rate 5 --failed-authorizations 2");
    let root = server.root();
    for _ in 0..20 {
        assert_eq!(root.send(&from("203.0.113.7", &about())).status, 200);
        server.holder("pqc_t_wrong").send(&from("203.0.113.7", &about())).problem(401);
    }
}

/// With TLS too: who is on this machine is.
#[test]
fn on_loopback_tls_changes_nothing_of_that() {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str| folder.beside(name);
    std::fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (file("cert.pem").display().to_string(), file("key.pem"));
    let options = format!("--tls-cert {cert} --tls-key {} --address-rate 2", key.display());
    let server = folder.serve_with(&options);
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap();
    let url = format!("{}/api/v1/token/self", server.url());
    for _ in 0..20 {
        let answer = block_on(client.get(&url).send()).unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    }
}

#[test]
fn an_address_whose_tokens_are_refused_is_not_listened_to() {
    let server =
        Folder::new().serve_with("--trusted-proxies 127.0.0.0/8 --failed-authorizations 4");
    let wrong = server.holder(&format!("pqc_t_{}", "A".repeat(43)));
    let anyone = server.anyone();
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x"}));
    for client in [&wrong, &anyone, &wrong, &anyone, &wrong] {
        client.send(&from("203.0.113.7", &call)).problem(401);
    }
    assert!((1..=15).contains(&refused(&wrong.send(&from("203.0.113.7", &call)))));
    // Not even with the right one, and that spends nothing.
    let counted = server.root().mint_counted(2);
    refused(&counted.send(&from("203.0.113.7", &call)));
    assert_eq!(counted.attempts_left(), 2);
    counted.send(&from("203.0.113.8", &call)).ok_text();
    // Those whom the proxy does not name are one together.
    for name in ["unknown", "_hidden", "203.0.113.7, unknown", "unknown"] {
        wrong.send(&from(name, &call)).problem(401);
    }
    wrong.send(&call).problem(401);
    assert!((1..=15).contains(&refused(&wrong.send(&from("_other", &call)))));
    counted.send(&from("203.0.113.8", &call)).ok_text();
}

#[test]
fn a_token_that_is_used_too_often_is_told_how_it_stands() {
    let server = Folder::new().serve_with("--token-rate 3");
    let counted = server.root().mint_counted(50);
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x"}));
    let first = counted.send(&call);
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"token\";q=3;w=1"));
    assert_eq!(first.header("ratelimit"), Some("\"token\";r=2;t=0"));
    let answers = at_once(30, &counted, &call);
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let late = answers.iter().find(|answer| answer.status == 429).expect("one is refused");
    assert_eq!((refused(late), late.header("ratelimit")), (1, Some("\"token\";r=0;t=1")));
    // What was refused spent nothing.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(counted.attempts_left(), 49 - served as u64);
}

#[test]
fn pages_of_configured_origins_may_call_and_others_may_not() {
    let server = Folder::new().serve_with("--cors-origins https://app.example,http://localhost:3");
    let asks = |origin: &str| {
        let call = Call::new("OPTIONS", "/api/aes/encrypt_text").header("origin", origin);
        let call = call.header("access-control-request-method", "POST");
        server.anyone().send(&call.header("access-control-request-headers", "authorization"))
    };
    let allowed = asks("https://app.example");
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    assert_eq!(asks("https://other.example").header("access-control-allow-origin"), None);
    // The answers, refusals too, can be read by those.
    let call = Call::get("/api/v1/token/self").header("origin", "http://localhost:3");
    for answer in [server.root().send(&call), server.anyone().send(&call)] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3"));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("retry-after"));
    }
    // One who is no page asks what a path takes.
    let options = server.anyone().send(&Call::new("OPTIONS", "/api/aes/encrypt_text"));
    assert_eq!(options.header("allow"), Some("POST"));
}

#[test]
fn every_answer_says_what_browsers_may_make_of_it() {
    let server = Folder::new().serve();
    let calls: [(Client, Call); 4] = [
        (server.root(), about()),
        (server.anyone(), about()),
        (server.anyone(), Call::get("/nowhere")),
        (server.anyone(), Call::get("/healthz")),
    ];
    for (client, call) in calls {
        let answer = client.send(&call);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("strict-transport-security"), None, "there is no TLS");
    }
}

#[test]
fn headers_and_texts_have_the_limits_that_were_set() {
    let server = Folder::new().serve_with("--max-headers 2048 --max-text 100");
    let root = server.root();
    let with = |bytes: usize| root.send(&about().header("x-padding", "p".repeat(bytes)));
    assert_eq!(with(500).status, 200);
    with(2000).problem(431);
}

#[test]
fn headers_may_be_as_many_as_was_set() {
    // More than hyper has by itself, and fewer; `Host` is one.
    for most in [150, 20] {
        let server = Folder::new().serve_with(&format!("--max-header-lines {most}"));
        let with = |count: usize| {
            let more: Vec<_> = (1..count).map(|i| format!("x-{i}: y")).collect();
            let more: Vec<_> = more.iter().map(String::as_str).collect();
            server.raw().head("GET /healthz HTTP/1.1", &more).answer().status
        };
        assert_eq!((with(most), with(most + 1)), (200, 431), "{most}");
    }
}

#[test]
fn a_server_without_tls_says_so_at_every_start_and_at_every_level_of_the_log() {
    let folder = Folder::new();
    for level in ["off", "error", "info"] {
        let line = format!("--log {level} --listen 0.0.0.0:0 --insecure-no-tls");
        let ended = folder.serve_with(&line).stop();
        assert_eq!(ended.stderr.matches("nothing is encrypted").count(), 1, "{level}: {ended:?}");
    }
}

/// One who draws a body out holds room for more than what came of it.
#[test]
fn calls_whose_bodies_are_to_come_are_counted_under_the_ceiling() {
    let server = Folder::new().serve_with("--log warn --admin-listen 127.0.0.1:0");
    let operator = server.operator();
    let held = || Scrape::of(&operator).value("pqc_bodies_bytes");
    let authorization = format!("Authorization: Bearer {}", server.folder.root_token());
    let headers = [&*authorization, "Content-Type: application/json", "Content-Length: 92"];
    let line = format!("POST /api/aes/encrypt_text?x={} HTTP/1.1", "y".repeat(4000));
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let mut raw = server.raw();
            raw.head(&line, &headers).write("{");
            raw
        })
        .collect();
    wait_until("all are counted", || held() >= 10.0 * (24_576.0 + 4000.0));
    drop(waiting);
    wait_until("they are forgotten", || held() == 0.0);
}

#[test]
fn the_settings_in_force_are_printed_with_their_sources() {
    let folder = Folder::new();
    let file = folder.beside("pqc.toml");
    std::fs::write(
        &file,
        "store = 'postgres://pqc:hunter2@db.example/pqc'\nmaster_key_file = 'k'\n\
         trusted_proxies = ['10.0.0.0/8', '192.0.2.7']\nmax_text = 5\n",
    )
    .unwrap();
    let line = format!("serve --print-config --max-text 6 --config {}", file.display());
    let printed = folder.verb(&line).ended(0);
    assert!(!printed.stdout.contains("hunter2"), "{printed:?}");
    for part in [
        "store = \"postgres://[redacted]@db.example/pqc\"  # file (",
        "trusted_proxies = \"10.0.0.0/8,192.0.2.7\"  # file (",
        "max_text = \"6\"  # command line",
        "address_rate = \"1000\"  # default",
        "# tls_cert is not set",
    ] {
        assert!(printed.stdout.contains(part), "no {part}: {}", printed.stdout);
    }
    let json = folder.verb(&format!("{line} --json")).json();
    let settings = json["settings"].as_array().unwrap();
    let max_text = settings.iter().find(|setting| setting["key"] == "max_text").unwrap();
    assert_eq!(*max_text, json!({"key": "max_text", "value": "6", "source": "command line"}));
    assert!(!folder.data_dir().exists(), "nothing is made");
    // What is wrong is said as at a start.
    let wrong = folder.beside("wrong.toml");
    std::fs::write(&wrong, "max_txt = 5\n").unwrap();
    let line = format!("serve --print-config --config {}", wrong.display());
    folder.verb(&line).refused(2, "did you mean \"max_text\"?");
}
