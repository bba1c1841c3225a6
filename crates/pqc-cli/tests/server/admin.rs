//! The listener for operators: what is counted, what is logged, and who gets at it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::support::{
    Answer, Call, Client, Folder, Scrape, Server, block_on, text, together, wait_until,
};

fn started(options: &str) -> (Server, Client) {
    let server = Folder::new().serve_with(&format!("--admin-listen 127.0.0.1:0 {options}"));
    let operator = server.operator();
    (server, operator)
}

#[track_caller]
fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.problem(status)["type"], format!("urn:pqc:problem:{kind}"));
}

const CALLS: [&str; 4] = [
    "pqc_requests_total",
    "pqc_operations_total",
    "pqc_token_uses_total",
    "pqc_token_refusals_total",
];

fn expected(grown: &[(&str, f64)]) -> Vec<(String, f64)> {
    grown.iter().map(|(series, more)| ((*series).to_owned(), *more)).collect()
}

#[test]
fn counts_move_exactly_as_calls_are_made() {
    let (server, operator) = started("--log warn");
    let root = server.root();
    let before = Scrape::of(&operator);
    let token = root.mint_counted(20);
    let pair = token.generate();
    let (cipher, _) = pair.encapsulated_by(&token);
    token.post("/api/kem/decapsulate_key", &json!({"cipher": cipher, "pk": pair.pk})).ok();
    let signed = token.post("/api/signature/sign", &json!({"data": "d"})).ok();
    let claim = json!({"data": "e", "pk": signed["pk"], "signature": signed["signature"]});
    assert_eq!(token.post("/api/signature/verify", &claim).ok()["verified"], false);
    let sealed = token.post("/api/aes/encrypt_text", &json!({"unencrypted": "t"})).ok_text();
    token.post("/api/aes/decrypt_text", &json!({"ciphertext": sealed})).ok_text();
    token.post("/api/v1/pqc/kem/generate-keys", &json!({"algorithm": "X-Wing"})).ok();
    token.post("/api/v1/pqc/sign/generate-keys", &json!({"algorithm": "ML-DSA-44"})).ok();
    // Wrong fields spend an attempt and do nothing.
    assert_eq!(token.post("/api/v1/pqc/sign/sign", &json!({})).status, 422);
    token.token_self();
    assert_eq!(server.anyone().get("/nowhere").status, 404);
    assert_eq!(root.get(&format!("/api/v1/keys/{}", pair.key_id)).status, 200);

    let after = Scrape::of(&operator);
    assert_eq!(
        after.since(&before, &CALLS),
        expected(&[
            (r#"pqc_operations_total{operation="decapsulate",algorithm="ML-KEM-768"}"#, 1.0),
            (r#"pqc_operations_total{operation="decrypt",algorithm="AES-256"}"#, 1.0),
            (r#"pqc_operations_total{operation="encapsulate",algorithm="ML-KEM-768"}"#, 1.0),
            (r#"pqc_operations_total{operation="encrypt",algorithm="AES-256"}"#, 1.0),
            (r#"pqc_operations_total{operation="generate",algorithm="ML-DSA-44"}"#, 1.0),
            (r#"pqc_operations_total{operation="generate",algorithm="ML-KEM-768"}"#, 1.0),
            (r#"pqc_operations_total{operation="generate",algorithm="X-Wing"}"#, 1.0),
            (r#"pqc_operations_total{operation="sign",algorithm="ML-DSA-65"}"#, 1.0),
            (r#"pqc_operations_total{operation="verify",algorithm="ML-DSA-65"}"#, 1.0),
            (r#"pqc_requests_total{route="-",status="404"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/aes/decrypt_text",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/aes/encrypt_text",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/kem/decapsulate_key",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/kem/encapsulate_key",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/kem/generate_keys",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/signature/sign",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/signature/verify",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/token/new",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/v1/keys/{key_id}",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/v1/pqc/kem/generate-keys",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/v1/pqc/sign/generate-keys",status="200"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/v1/pqc/sign/sign",status="422"}"#, 1.0),
            (r#"pqc_requests_total{route="/api/v1/token/self",status="200"}"#, 1.0),
            (r#"pqc_token_uses_total{kind="root"}"#, 2.0),
            (r#"pqc_token_uses_total{kind="temporary"}"#, 10.0),
        ])
    );
    let grown = |series: &str| after.value(series) - before.value(series);
    assert_eq!(grown(r#"pqc_store_duration_seconds_count{work="spend"}"#), 10.0);
    assert!(grown(r#"pqc_store_duration_seconds_sum{work="spend"}"#) > 0.0);
    // The token, the two keys of its calls (and the text's): what else the time asks for, may be.
    assert!(grown(r#"pqc_store_duration_seconds_count{work="write"}"#) >= 4.0);
    assert!(grown("pqc_store_batch_size_sum") >= 14.0);
    let times = r#"pqc_request_duration_seconds_count{route="/api/signature/sign"}"#;
    assert_eq!(grown(times), 1.0);
    let bucket = r#"pqc_request_duration_seconds_bucket{route="/api/signature/sign",le="+Inf"}"#;
    assert_eq!(grown(bucket), 1.0, "{:?}", after.0.keys());
    // To look moves nothing.
    assert_eq!(Scrape::of(&operator).since(&after, &CALLS), []);
}

#[test]
fn the_use_of_a_spent_token_is_counted_apart() {
    let (server, operator) = started("--log warn");
    let account = server.account();
    let reason = |reason: &str| format!("pqc_token_refusals_total{{reason=\"{reason}\"}}");
    let before = Scrape::of(&operator);
    assert_eq!(before.0.get(&reason("spent")), Some(&0.0), "it is there before the first one");

    // Many at once on one attempt: one is admitted, the others are told apart from guesses.
    let token = account.root.mint_counted(1);
    let call = Call::post("/api/kem/generate_keys", &json!({}));
    let answers = together(20, |_| {
        let (token, call) = (token.clone(), call.clone());
        async move { token.try_send(call).await.unwrap().status }
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    let after = Scrape::of(&operator);
    let of_tokens = ["pqc_token_uses_total", "pqc_token_refusals_total"];
    let grown = vec![
        (reason("spent"), 19.0),
        (r#"pqc_token_uses_total{kind="root"}"#.to_owned(), 1.0),
        (r#"pqc_token_uses_total{kind="temporary"}"#.to_owned(), 1.0),
    ];
    assert_eq!(after.since(&before, &of_tokens), grown);

    let before = after;
    let call = Call::get("/api/v1/keys");
    assert_eq!(server.anyone().send(&call).status, 401);
    assert_eq!(server.holder("pqc_guess").send(&call).status, 401);
    let temporary = account.root.mint_counted(5);
    assert_eq!(temporary.send(&call).status, 403);
    let id = text(&temporary.token_self(), "id");
    server.verb(&format!("token revoke {id} --account {}", account.name)).ended(0);
    assert_eq!(temporary.send(&call).status, 401);
    let short = account.root.mint(&json!({"expiry_time": 1}));
    wait_until("its end", || short.send(&call).status == 401);
    let after = Scrape::of(&operator);
    let mut seen = BTreeMap::new();
    for (series, more) in after.since(&before, &["pqc_token_refusals_total"]) {
        seen.insert(series, more);
    }
    // While it lived it was out of scope too, as often as it was asked.
    assert!(seen.remove(&reason("out_of_scope")).is_some_and(|more| more >= 1.0), "{seen:?}");
    let each = ["expired", "missing", "revoked", "unknown"].map(|it| (reason(it), 1.0));
    assert_eq!(seen, BTreeMap::from(each));

    server.verb(&format!("account disable {}", account.name)).ended(0);
    assert_eq!(account.root.send(&call).status, 401);
    let grown = Scrape::of(&operator).since(&after, &of_tokens);
    assert_eq!(grown, [(reason("account_disabled"), 1.0)]);
}

#[test]
fn what_comes_too_often_is_counted_by_the_setting_that_it_met() {
    let limits = "--address-rate 2 --token-rate 4 --failed-authorizations 1";
    let (server, operator) = started(&format!("--log warn --trusted-proxies 127.0.0.1 {limits}"));
    let call = |address: &str| Call::get("/api/v1/token/self").header("x-forwarded-for", address);
    let (wrong, root) = (server.holder("pqc_guess"), server.root());
    let before = Scrape::of(&operator);
    // One refusal each: a slow machine only takes more calls to come to it.
    for (client, address) in [(&wrong, "203.0.113.7"), (&root, "203.0.113.8"), (&root, "127.0.0.1")]
    {
        wait_until("a refusal", || client.send(&call(address)).status == 429);
    }
    let series = |limit: &str| (format!("pqc_rate_refusals_total{{limit=\"{limit}\"}}"), 1.0);
    let each = ["address_rate", "failed_authorizations", "token_rate"].map(series);
    let grown = Scrape::of(&operator).since(&before, &["pqc_rate_refusals_total"]);
    assert_eq!(grown, each);
}

#[test]
fn a_connection_too_many_is_counted() {
    let elsewhere = "--trusted-proxies 192.0.2.0/24 --max-connections-per-address 1";
    let (server, operator) = started(&format!("--log warn {elsewhere}"));
    let mut first = server.raw();
    assert_eq!(first.head("GET /healthz HTTP/1.1", &[]).answer().status, 200);
    assert!((0..3).all(|_| server.raw().is_closed()));
    let scrape = Scrape::of(&operator);
    assert_eq!(scrape.value("pqc_connections_refused_total"), 3.0);
    assert_eq!(scrape.value("pqc_connections_open"), 1.0);
}

/// Calls as nobody needs them, with words that differ from round to round.
fn odd_calls(server: &Server, round: u32) -> Vec<String> {
    let token = server.root().mint_counted(100);
    let word = format!("odd{round}word");
    let mut status = BTreeSet::new();
    for path in [
        format!("/{word}"),
        format!("/api/{word}"),
        format!("/api/v1/keys/{word}"),
        format!("/api/v1/keys/{}", token.token),
        format!("/{}", token.token),
        format!("/api/token/new/{}", token.token),
        format!("/metrics/{word}"),
        format!("/%7B{word}%7D"),
        format!("/{word}%0A%22%5C"),
        format!("/healthz?{word}={}", token.token),
        format!("//{word}//"),
        format!("/{}", word.repeat(2000)),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW", &word.to_uppercase()] {
            for client in [&token, &server.root(), &server.anyone()] {
                let call = Call::new(method, path.as_str()).header("x-request-id", word.as_str());
                status.insert(client.send(&call).status);
            }
        }
    }
    for known in [200, 204, 401, 403, 404, 405, 414, 422] {
        assert!(status.contains(&known), "{known} is not among {status:?}");
    }
    server.raw().write(format!("{word} {word} {word}\r\n\r\n")).answer();
    let token_of_root = server.folder.root_token();
    vec![word.clone(), word.to_uppercase(), token.token.clone(), token_of_root]
}

#[test]
fn whatever_is_called_no_label_says_more_than_the_program_knows() {
    let (server, operator) = started("--log warn");
    let account = server.account();
    let pair = account.root.generate();
    account.root.get(&format!("/api/v1/keys/{}", pair.key_id)).ok();
    let mut secrets = odd_calls(&server, 1);
    let first = Scrape::of(&operator);
    secrets.extend(odd_calls(&server, 2));
    let second = Scrape::of(&operator);
    let names = |scrape: &Scrape| scrape.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first), names(&second), "what is called anew adds no series");

    let known: BTreeSet<_> = pqc_http::paths().into_iter().chain(["-"]).collect();
    assert!(second.values_of("route").is_subset(&known), "{:?}", second.values_of("route"));
    assert!(second.values_of("status").iter().all(|status| status.len() == 3));
    let text = String::from_utf8(operator.get("/metrics").body).unwrap();
    secrets.extend([account.id, account.name, pair.key_id, pair.pk]);
    for secret in secrets {
        for part in [&secret[..], &secret[secret.len().min(4)..]] {
            assert!(part.len() < 4 || !text.contains(part), "{part} stands in {text}");
        }
    }
    assert!(!text.contains("pqc_root_") && !text.contains("pqc_temp_"), "{text}");
}

#[test]
fn the_state_of_the_server_is_told() {
    let (server, operator) = started("--log warn");
    let open = |scrape: &Scrape| scrape.value("pqc_connections_open");
    let before = open(&Scrape::of(&operator));
    let silent: Vec<_> = (0..5).map(|_| server.raw()).collect();
    wait_until("five more", || open(&Scrape::of(&operator)) >= before + 5.0);
    drop(silent);
    wait_until("that they are gone", || open(&Scrape::of(&operator)) < before + 5.0);

    let mut upload = server.raw();
    let token = format!("Authorization: Bearer {}", server.folder.root_token());
    let json = "Content-Type: application/json";
    let headers = [token.as_str(), json, "Content-Length: 500000"];
    upload.head("POST /api/aes/encrypt_text HTTP/1.1", &headers).write(vec![b'{'; 400_000]);
    let bodies = || Scrape::of(&operator).value("pqc_bodies_bytes");
    wait_until("the body", || bodies() >= 400_000.0);
    drop(upload);
    wait_until("that it is forgotten", || bodies() == 0.0);

    let scrape = Scrape::of(&operator);
    let version = env!("CARGO_PKG_VERSION");
    let builds: Vec<_> = scrape.0.keys().filter(|name| name.starts_with("pqc_build")).collect();
    let [build] = builds.as_slice() else { panic!("{builds:?}") };
    assert!(build.starts_with(&format!("pqc_build_info{{version=\"{version}\",backend=\"")));
    assert_eq!(scrape.value("pqc_store_failures_total"), 0.0);
    assert_eq!(scrape.value("pqc_store_changes_waiting"), 0.0);
    if cfg!(target_os = "linux") {
        let resident = scrape.value("process_resident_memory_bytes");
        assert!((1e6..1e10).contains(&resident), "{resident}");
        assert!(scrape.value("process_open_fds") >= 5.0);
    }
}

#[test]
fn each_listener_has_what_is_its_own() {
    let (server, operator) = started("--log warn");
    for path in ["/metrics", "/metrics/", "/log"] {
        for client in [server.anyone(), server.root()] {
            refused(&client.get(path), 404, "no-route");
        }
    }
    for path in ["/api/token/new", "/api/v1/token/self", "/.well-known/jwks.json", "/"] {
        refused(&operator.with_token(&server.folder.root_token()).get(path), 404, "no-route");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(operator.get(path).status, 200);
    }
    let head = operator.send(&Call::new("HEAD", "/metrics"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    for (method, path, allow) in
        [("POST", "/metrics", "GET, HEAD"), ("DELETE", "/log", "GET, HEAD, PUT")]
    {
        let answer = operator.send(&Call::new(method, path));
        refused(&answer, 405, "method");
        assert_eq!(answer.header("allow"), Some(allow));
        assert_eq!(operator.send(&Call::new("OPTIONS", path)).header("allow"), Some(allow));
    }
    // A page on the web that takes this machine's name for its own gets nothing.
    let foreign = Call::get("/metrics").header("host", "pages.example");
    assert_eq!(operator.send(&foreign).status, 400);

    let ended = server.stop();
    assert_eq!(ended.stdout.lines().count(), 2, "{ended:?}");
    let without = Folder::new().serve();
    refused(&without.anyone().get("/metrics"), 404, "no-route");
    assert_eq!(without.stop().stdout.lines().count(), 1);
}

fn put_log(operator: &Client, filter: impl Into<Vec<u8>>) -> Answer {
    operator.send(&Call::new("PUT", "/log").body(filter))
}

#[test]
fn what_is_logged_changes_while_the_server_runs() {
    let (server, operator) = started("--log warn --log-format json");
    let call = |id: &str| {
        let call = Call::get("/api/v1/keys").header("x-request-id", id);
        assert_eq!(server.anyone().send(&call).status, 401);
    };
    let told = |operator: &Client| String::from_utf8(operator.get("/log").body).unwrap();
    assert_eq!(told(&operator), "warn\n");
    call("call-before");
    let answer = put_log(&operator, "info");
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"info\n".as_slice()));
    call("at-info");
    assert!(server.stderr.wait_for("at-info"));
    // One after the other: what was not heard before is not heard later.
    assert!(!server.stderr.so_far().contains("call-before"));
    assert_eq!(put_log(&operator, "warn,pqc_http=debug\n").status, 200);
    assert_eq!(told(&operator), "warn,pqc_http=debug\n");
    // The reason, which no caller is told, is for the log at this level.
    assert_eq!(server.holder("pqc_guess").get("/api/v1/keys").status, 401);
    assert!(server.stderr.wait_for("unknown token"));

    for wrong in [&b"pqc_http=loud"[..], b"", b" \n", b"\xff\xfe", b"a=b=c"] {
        refused(&put_log(&operator, wrong), 422, "invalid");
        assert_eq!(told(&operator), "warn,pqc_http=debug\n", "{wrong:?}");
    }
    refused(&put_log(&operator, vec![b'a'; 5000]), 413, "body-too-large");

    // Who is not ours stays unheard at the loudest.
    assert_eq!(put_log(&operator, "trace").status, 200);
    call("at-trace");
    server.root().mint_counted(1).generate();
    assert!(server.stderr.wait_for("at-trace"));
    assert_eq!(put_log(&operator, "warn").status, 200);
    call("quiet-again");
    let log = server.stop().stderr;
    assert!(!log.contains("quiet-again") && !log.contains("call-before"), "{log}");
    let mut quiet = 0;
    // The first start tells the root token in words.
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let event: Value = serde_json::from_str(line).unwrap();
        if ["DEBUG", "TRACE"].contains(&event["level"].as_str().unwrap()) {
            quiet += 1;
            assert!(event["target"].as_str().unwrap().starts_with("pqc"), "{line}");
        }
    }
    assert!(quiet > 0, "{log}");
}

#[test]
fn beyond_loopback_it_is_refused_without_client_certificates() {
    let is_refused = |options: &str, why: &str| {
        let folder = Folder::new();
        folder.verb(&format!("serve --listen 127.0.0.1:0 {options}")).refused(2, why);
        assert!(!folder.data_dir().exists(), "nothing is made");
    };
    is_refused("--admin-listen 0.0.0.0:0", "0.0.0.0:0 (admin_listen) is not a loopback address");
    is_refused("--admin-listen [::]:0 --insecure-no-tls", "--admin-client-ca");
    is_refused("--admin-listen 0.0.0.0:0 --tls-cert c --tls-key k", "--admin-client-ca");
    is_refused("--admin-listen 0.0.0.0:0 --admin-client-ca a", "needs tls_cert and tls_key");
    is_refused("--admin-client-ca a --tls-cert c --tls-key k", "without admin_listen");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = Folder::new().verb(&format!("serve --listen 127.0.0.1:0 --admin-listen {address}"));
    run.refused(2, "(--admin-listen)");
}

/// Who signs certificates of clients.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A client's certificate and its key.
    fn client(&self) -> reqwest::Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["prometheus".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pem = certificate.pem() + &key.serialize_pem();
        reqwest::Identity::from_pem(pem.as_bytes()).unwrap()
    }
}

#[test]
fn beyond_loopback_operators_are_known_by_their_certificates() {
    let (folder, ours, others) = (Folder::new(), Authority::new(), Authority::new());
    let own = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = own();
    let write = |name: &str, text: &str| fs::write(folder.beside(name), text).unwrap();
    write("cert.pem", &certificate.cert.pem());
    write("key.pem", &certificate.signing_key.serialize_pem());
    write("ca.pem", &ours.pem);
    let file = |name: &str| folder.beside(name).display().to_string();
    let options = format!(
        "--log info --admin-listen 0.0.0.0:0 --tls-cert {} --tls-key {}",
        file("cert.pem"),
        file("key.pem")
    );
    for (text, why) in [("", "no certificate"), ("hello", "no certificate")] {
        write("empty.pem", text);
        let line =
            format!("serve --listen 127.0.0.1:0 {options} --admin-client-ca {}", file("empty.pem"));
        folder.verb(&line).refused(2, why);
    }
    let server = folder.serve_with(&format!("{options} --admin-client-ca {}", file("ca.pem")));
    let url = server.admin_url().replace("0.0.0.0", "127.0.0.1");
    assert!(url.starts_with("https://"), "{url}");

    let status = |identity: Option<reqwest::Identity>, served: &str, url: String| {
        let trusted = reqwest::Certificate::from_pem(served.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .tls_certs_only([trusted]);
        let client = match identity {
            Some(identity) => client.identity(identity),
            None => client,
        };
        let client = client.build().unwrap();
        block_on(async { client.get(url).send().await }).ok().map(|answer| answer.status().as_u16())
    };
    let served = certificate.cert.pem();
    let metrics = || format!("{url}/metrics");
    assert_eq!(status(Some(ours.client()), &served, metrics()), Some(200));
    assert_eq!(status(None, &served, metrics()), None);
    assert_eq!(status(Some(others.client()), &served, metrics()), None);
    // Callers need none.
    assert_eq!(status(None, &served, format!("{}/healthz", server.url())), Some(200));

    // The server's own certificate is replaced on both.
    let certificate = own();
    write("cert.pem", &certificate.cert.pem());
    write("key.pem", &certificate.signing_key.serialize_pem());
    server.signal("HUP");
    let served = certificate.cert.pem();
    wait_until("the new certificate", || {
        status(Some(ours.client()), &served, metrics()) == Some(200)
    });
    assert_eq!(status(Some(others.client()), &served, metrics()), None);
    server.stop();
}
