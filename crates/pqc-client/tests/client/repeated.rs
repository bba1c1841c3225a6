//! What is repeated and what is not, as a listener sees it that answers what it was told.

use std::time::{Duration, Instant};

use pqc_client::{Attempt, Client, Error, NewKeyPair, NewToken};
use pqc_core::{Signature, VerifyingKey};

use crate::scripted::{Scripted, Step, answer, hang_up, header, ok, problem, token};

/// A call that spends an attempt.
async fn spends(client: &Client) -> Result<bool, Error> {
    let key = VerifyingKey::from_bytes(&[7; 1312]).unwrap();
    let signature = Signature::from_bytes(&[7; 2420]).unwrap();
    client.verify(b"data", "", &key, &signature).await
}

/// A call that costs nothing.
async fn free(client: &Client) -> Result<(), Error> {
    client.token_self().await.map(drop)
}

/// A call with an `Idempotency-Key`.
async fn keyed(client: &Client) -> Result<(), Error> {
    client.new_token(&NewToken::default()).await.map(drop)
}

fn about() -> Step {
    let (id, account) = ("00".repeat(16), "01".repeat(16));
    ok(&format!(r#"{{"id":"{id}","kind":"root","account":"{account}","created_at":1}}"#))
}

fn minted() -> Step {
    let token = token();
    let token = token.expose_text();
    ok(&format!(r#"{{"new_token":"{}","expires_at":7,"attempts":1}}"#, *token))
}

const VERIFIED: &str = r#"{"verified":true}"#;

/// What a call that fails so once comes to: how often it is made of each kind.
async fn made_after(first: Step) -> [usize; 3] {
    let mut made = [0; 3];
    let scripted = Scripted::new([first.clone(), ok(VERIFIED)]).await;
    let done = spends(&scripted.client()).await;
    made[0] = scripted.seen().len();
    assert_eq!(done.is_ok(), made[0] == 2, "{done:?}");
    let scripted = Scripted::new([first.clone(), minted()]).await;
    let done = keyed(&scripted.client()).await;
    made[1] = scripted.seen().len();
    assert_eq!(done.is_ok(), made[1] == 2, "{done:?}");
    let scripted = Scripted::new([first, about()]).await;
    let done = free(&scripted.client()).await;
    made[2] = scripted.seen().len();
    assert_eq!(done.is_ok(), made[2] == 2, "{done:?}");
    made
}

#[tokio::test]
async fn a_call_is_repeated_where_it_is_safe_and_nowhere_else() {
    let refusal = |status: &str, slug: &str, more: &str| problem(status, "", slug, more);
    let busy = "503 Service Unavailable";
    for (name, first, made) in [
        ("overload", refusal(busy, "overload", ""), [2, 2, 2]),
        ("rate limit", refusal("429 Too Many Requests", "rate-limit", ""), [2, 2, 2]),
        ("spent", refusal(busy, "store-unavailable", r#","attempt":"spent""#), [1, 2, 2]),
        ("unknown", refusal(busy, "store-unavailable", r#","attempt":"unknown""#), [1, 2, 2]),
        ("a proxy's page", answer(busy, "content-type: text/html\r\n", "<h1>"), [1, 2, 2]),
        ("a gateway", answer("502 Bad Gateway", "", ""), [1, 2, 2]),
        ("the end", hang_up(), [1, 2, 2]),
        ("half a head", Step::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()), [1, 2, 2]),
        (
            "half an answer",
            Step::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()),
            [1, 2, 2],
        ),
        ("in flight", refusal("409 Conflict", "in-flight", ""), [1, 2, 1]),
        ("unauthorized", refusal("401 Unauthorized", "unauthorized", ""), [1, 1, 1]),
        ("invalid", refusal("422 Unprocessable Entity", "invalid", ""), [1, 1, 1]),
        ("internal", refusal("500 Internal Server Error", "internal", ""), [1, 1, 1]),
        ("no JSON", ok("no"), [1, 1, 1]),
    ] {
        assert_eq!(made_after(first).await, made, "{name}");
    }
}

#[tokio::test]
async fn an_idempotency_key_is_the_same_for_one_call_and_another_for_the_next() {
    let scripted = Scripted::new([hang_up(), hang_up(), minted()]).await;
    let client = scripted.client();
    keyed(&client).await.unwrap();
    keyed(&client).await.unwrap();
    let seen = scripted.seen();
    let keys: Vec<_> = seen.iter().map(|request| header(request, "idempotency-key")).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0].is_some_and(|key| key.len() == 32));
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3], "{keys:?}");
    let bodies: Vec<_> = seen.iter().map(|request| request.split_once("\r\n\r\n")).collect();
    assert!(bodies.iter().all(|body| body.unwrap().1 == "{}"));

    let scripted = Scripted::new([hang_up()]).await;
    let made = scripted.client().generate_key_pair(&NewKeyPair::default(), &[]).await;
    assert!(matches!(made, Err(Error::Connection { attempt: Attempt::Unknown, .. })), "{made:?}");
    assert!(scripted.seen().iter().all(|request| header(request, "idempotency-key").is_some()));
    let scripted = Scripted::new([ok(VERIFIED)]).await;
    spends(&scripted.client()).await.unwrap();
    assert_eq!(header(&scripted.seen()[0], "idempotency-key"), None);
}

#[tokio::test]
async fn repeats_have_an_end() {
    let busy = problem("503 Service Unavailable", "", "overload", "");
    let scripted = Scripted::new([busy]).await;
    let error = spends(&scripted.client()).await.unwrap_err();
    assert_eq!((error.attempt(), scripted.seen().len()), (Attempt::Kept, 4));
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let busy = |seconds: u64| {
        let headers = format!("retry-after: {seconds}\r\n");
        problem("503 Service Unavailable", &headers, "overload", "")
    };
    let scripted = Scripted::new([busy(1), ok(VERIFIED)]).await;
    let started = Instant::now();
    assert!(spends(&scripted.client()).await.unwrap());
    assert!(started.elapsed() >= Duration::from_secs(1));

    // Longer than the call may take: who waits, waits in vain.
    for seconds in [3600, u64::MAX] {
        let scripted = Scripted::new([busy(seconds), ok(VERIFIED)]).await;
        let started = Instant::now();
        let client = scripted.client();
        let Err(Error::Refused(refusal)) = spends(&client).await else { panic!("refused") };
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(seconds)));
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(scripted.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_call_has_its_time_and_no_more() {
    let scripted = Scripted::new([Step::Silence]).await;
    let time = Duration::from_millis(300);
    let client = Client::builder(&scripted.url).timeout(time).build(&token()).unwrap();
    for error in [free(&client).await.unwrap_err(), spends(&client).await.unwrap_err()] {
        assert!(matches!(error, Error::Connection { attempt: Attempt::Unknown, .. }), "{error:?}");
    }
    assert_eq!(scripted.seen().len(), 2);
    // Repeats too come to their end.
    let scripted = Scripted::new([hang_up()]).await;
    let client = Client::builder(&scripted.url).timeout(time).build(&token()).unwrap();
    let started = Instant::now();
    assert!(free(&client).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(scripted.seen().len() < 4);
}

#[tokio::test]
async fn nobody_there_is_told_from_nobody_answering() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&url, &token()).unwrap();
    let error = spends(&client).await.unwrap_err();
    assert!(matches!(error, Error::Connection { attempt: Attempt::Kept, .. }), "{error:?}");
}
