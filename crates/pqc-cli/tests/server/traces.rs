//! Traces: what reaches a real collector of calls, and what never does.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Call, Folder, block_on, spawn};

/// A collector, and what it was sent.
struct Collector {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Sent>>>,
}

struct Sent {
    request: String,
    content_type: String,
    body: Bytes,
}

impl Collector {
    fn start() -> Self {
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (address, sent) = (listener.local_addr().unwrap(), Arc::default());
        let keeps = Arc::clone(&sent);
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sent = Arc::clone(&keeps);
                let service = service_fn(move |request| keep(Arc::clone(&sent), request));
                spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, sent }
    }

    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for sent in self.sent.lock().unwrap().iter() {
            assert_eq!(sent.request, "POST /v1/traces");
            assert_eq!(sent.content_type, "application/x-protobuf");
            let batch = ExportTraceServiceRequest::decode(sent.body.clone()).unwrap();
            for of_resource in batch.resource_spans {
                let resource = of_resource.resource.unwrap();
                let mut names = resource.attributes.iter().filter(|it| it.key == "service.name");
                let name = names.next().unwrap().value.clone().unwrap().value.unwrap();
                assert_eq!(name, Value::StringValue("pqc".to_owned()));
                spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }

    /// All that came, as it came.
    fn bytes(&self) -> Vec<u8> {
        self.sent.lock().unwrap().iter().flat_map(|sent| sent.body.to_vec()).collect()
    }
}

async fn keep(
    sent: Arc<Mutex<Vec<Sent>>>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let content_type = head.headers["content-type"].to_str().unwrap().to_owned();
    let request = format!("{} {}", head.method, head.uri);
    let body = body.collect().await.unwrap().to_bytes();
    sent.lock().unwrap().push(Sent { request, content_type, body });
    Ok(Response::new(Empty::new()))
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key} of {}: {other:?}", span.name),
    }
}

#[test]
fn a_collector_is_told_of_calls_and_their_steps_and_of_no_secret() {
    const TEXT: &str = "nobody is to read this";
    let key = "5a".repeat(32);
    let collector = Collector::start();
    let options = format!("--log warn --otlp-endpoint http://{}", collector.address);
    let server = Folder::new().serve_with(&options);
    let root = server.root();
    let token = root.mint(&json!({"operations": ["aes.encrypt"]}));
    let call = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": TEXT, "key": key}));
    let encrypted = token.send(&call);
    let sealed = encrypted.ok_text();
    token.send(&call).problem(401);
    // Where no secret belongs, and yet may come.
    let stray = format!("/api/{}?token={}", token.token, root.token);
    server.anyone().get(&stray).problem(404);
    server.anyone().send(&Call::new(&token.token.replace('_', "-"), "/healthz")).problem(405);
    let root_token = root.token.clone();
    server.stop();

    let spans = collector.spans();
    let id = encrypted.header("x-request-id").unwrap();
    let is_call = |span: &&Span| span.kind == 2 && attribute(span, "pqc.request_id") == id;
    let of_call = spans.iter().find(is_call).expect("the call");
    assert_eq!(of_call.name, "POST");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/aes/encrypt_text"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(of_call, name), value);
    }
    assert_eq!(attribute(of_call, "pqc.account").len(), 32);
    let steps: BTreeSet<_> = spans
        .iter()
        .filter(|span| span.parent_span_id == of_call.span_id)
        .map(|span| span.name.as_str())
        .collect();
    assert_eq!(steps, BTreeSet::from(["authenticate", "receive", "spend", "act"]));
    let calls: BTreeSet<_> = spans
        .iter()
        .filter(|span| span.parent_span_id.is_empty())
        .map(|call| {
            ["http.request.method", "http.route", "http.response.status_code"]
                .map(|key| attribute(call, key))
                .join(" ")
        })
        .collect();
    let expected = [
        "POST /api/token/new 200",
        "POST /api/aes/encrypt_text 200",
        "POST /api/aes/encrypt_text 401",
        "GET - 404",
        "other /healthz 405",
    ];
    assert_eq!(calls, BTreeSet::from(expected.map(str::to_owned)));

    let bytes = collector.bytes();
    let secrets = [TEXT, &key, &sealed, &root_token, &token.token, "pqc_r_", "pqc_t_"];
    for secret in secrets {
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "{secret:?} is in what was sent");
    }
}

#[test]
fn a_collector_that_is_not_there_or_does_not_answer_holds_up_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for address in [silent.local_addr().unwrap(), gone] {
        let options = format!("--log warn --otlp-endpoint http://{address}");
        let server = Folder::new().serve_with(&options);
        assert!(server.ready_in < Duration::from_secs(5), "{:?}", server.ready_in);
        let root = server.root();
        for _ in 0..50 {
            root.get("/api/v1/token/self").ok();
        }
        let begin = Instant::now();
        server.stop();
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}

#[test]
fn a_collector_is_a_host_that_is_spoken_to_without_tls() {
    let folder = Folder::new();
    for wrong in ["https://collector:4318", "http://", "http://u:p@host", "http://host/v1/traces"] {
        let line = format!("serve --otlp-endpoint {wrong}");
        folder.verb(&line).refused(2, "--otlp-endpoint");
    }
    let line = "serve --print-config --otlp-endpoint http://[::1]:4318/";
    assert!(folder.verb(line).ended(0).stdout.contains("otlp_endpoint = \"http://[::1]:4318/\""));
}
