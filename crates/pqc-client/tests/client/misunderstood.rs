//! What goes out shows no secret where it should not, and what comes in is not believed too easily.

use std::error::Error as _;

use pqc_client::{Client, Error};
use pqc_core::{MessageBox, Secret};

use crate::scripted::{Scripted, Step, answer, header, ok, problem, token};

/// All that an error shows, however it is looked at.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(error) = next {
        shown += &format!(" {error} {error:?}");
        next = error.source();
    }
    shown
}

async fn encrypt(client: &Client, text: &str) -> Result<MessageBox, Error> {
    client.encrypt_text(text, Some(&Secret::from([0xab; 32])), "").await
}

#[tokio::test]
async fn a_secret_goes_out_in_a_body_and_a_token_in_its_header_alone() {
    let scripted = Scripted::new([ok(r#""no box""#)]).await;
    let error = encrypt(&scripted.client(), "hunter2").await.unwrap_err();
    let [request] = &scripted.seen()[..] else { panic!("one request") };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /api/aes/encrypt_text HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("hunter2") && !head.contains("abab"), "{head}");
    assert!(body.contains("hunter2") && body.contains("abab"), "{body}");
    let text = token();
    let text = text.expose_text();
    assert_eq!(header(head, "authorization"), Some(&*format!("Bearer {}", *text)));
    assert_eq!(request.matches(&*text).count(), 1);
    let shown = shown(&error);
    assert!(!shown.contains("hunter2") && !shown.contains(&*text), "{shown}");
}

#[tokio::test]
async fn the_issuers_are_asked_for_without_a_token() {
    let scripted = Scripted::new([ok(r#"{"keys":[{"kty":"OKP"}]}"#)]).await;
    let asked = scripted.client().published_issuers_unpinned().await;
    assert!(matches!(asked, Err(Error::NotUnderstood { .. })), "{asked:?}");
    let [request] = &scripted.seen()[..] else { panic!("one request") };
    assert!(request.starts_with("GET /.well-known/jwks.json HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(request, "authorization"), None);
}

#[tokio::test]
async fn a_path_before_all_paths_is_kept() {
    let scripted = Scripted::new([ok("{}")]).await;
    for base in ["/behind/a/proxy", "/behind/a/proxy/"] {
        let client = Client::new(&format!("{}{base}", scripted.url), &token()).unwrap();
        assert!(client.token_self().await.is_err());
        let last = scripted.seen().pop().unwrap();
        assert!(last.starts_with("GET /behind/a/proxy/api/v1/token/self HTTP/1.1\r\n"), "{last}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Scripted::new([ok("{}")]).await;
    let headers = format!("location: {}/api/v1/token/self\r\n", elsewhere.url);
    let scripted = Scripted::new([answer("307 Temporary Redirect", &headers, "")]).await;
    let asked = scripted.client().token_self().await;
    assert!(matches!(&asked, Err(Error::Refused(refusal)) if refusal.status == 307), "{asked:?}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_another_calls_is_not_understood_nor_quoted() {
    for body in [
        "hunter2",
        "",
        "null",
        r#""hunter2""#,
        r#""00""#,
        r#"{"verified":"hunter2"}"#,
        r#"["hunter2"]"#,
    ] {
        let scripted = Scripted::new([ok(body)]).await;
        let error = encrypt(&scripted.client(), "text").await.unwrap_err();
        assert!(matches!(error, Error::NotUnderstood { .. }), "{body}: {error:?}");
        assert!(!shown(&error).contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_longer_than_it_can_be_is_left() {
    let huge = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9999999999\r\n\r\n\"";
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "0".repeat(100_000));
    let endless =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(9));
    for bytes in [huge, &endless] {
        let scripted = Scripted::new([Step::Bytes(bytes.as_bytes().to_vec())]).await;
        let error = encrypt(&scripted.client(), "text").await.unwrap_err();
        assert!(matches!(error, Error::NotUnderstood { .. }), "{error:?}");
    }
    // A refusal that is too long is still one.
    let long = problem("422 Unprocessable Entity", "", "invalid", &" ".repeat(100_000));
    let scripted = Scripted::new([long]).await;
    let error = encrypt(&scripted.client(), "text").await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.status == 422), "{error:?}");
}
