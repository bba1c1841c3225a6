//! Requests through the whole of the application, on a real embedded store; without a socket, and on
//! a runtime of one thread beside the store's own: so rows are read by the store's pool, for whether one
//! is read on the spot depends on the time that the last one took.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body_util::BodyExt;
use pqc_core::{Secret, Timestamp};
use pqc_http::{App, Config, HttpService, RateConfig};
use pqc_service::host::RandomnessFailed;
use pqc_service::{By, Custody, Host, Service, Settings, SqliteStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::case::Case;
use crate::seeded::Seeded;

/// So many that what the service does now and then by itself is a small part of them.
const RUNS: u32 = 300;
/// Of the cache of keys, in bytes.
const ROOM: u64 = 1 << 20;
const NO_ROOM: u64 = 0;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        // Nothing is written; the attestation was verified by the call before.
        Case::new("request/encapsulate", RUNS, || {
            let server = Server::open(ROOM);
            let body = server.encapsulation();
            let token = server.root.clone();
            move || server.post("/api/kem/encapsulate_key", &token, &body)
        }),
        // The attestation is verified.
        Case::new("request/encapsulate-anew", RUNS, || {
            let server = Server::open(NO_ROOM);
            let body = server.encapsulation();
            let token = server.root.clone();
            move || server.post("/api/kem/encapsulate_key", &token, &body)
        }),
        // An attempt of the token is spent durably.
        Case::new("request/encapsulate-spending", RUNS, || {
            let server = Server::open(ROOM);
            let body = server.encapsulation();
            let token = server.post(
                "/api/token/new?expiry_time=3600&expire_after_attempts=1000",
                &server.root,
                &Bytes::new(),
            );
            let token = format!("Bearer {}", text(&read(&token), "new_token"));
            move || server.post("/api/kem/encapsulate_key", &token, &body)
        }),
        // The use of a stored key is written down in the audit log; it was opened by the call before.
        // Signing takes a random number of attempts, from a fixed seed.
        Case::new("request/sign", RUNS, || {
            let server = Server::open(ROOM);
            let token = server.root.clone();
            let body = Bytes::from(json!({"data": "a text to sign"}).to_string());
            move || server.post("/api/signature/sign", &token, &body)
        }),
        // The key is opened.
        Case::new("request/sign-anew", RUNS, || {
            let server = Server::open(NO_ROOM);
            let token = server.root.clone();
            let body = Bytes::from(json!({"data": "a text to sign"}).to_string());
            move || server.post("/api/signature/sign", &token, &body)
        }),
    ]
}

/// The application with one account, whose root token it knows.
struct Server<S> {
    app: S,
    root: String,
    runtime: Runtime,
    _folder: TempDir,
}

impl Server<()> {
    fn open(key_cache_bytes: u64) -> Server<impl HttpService> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (service, root) = runtime.block_on(async {
            let host = Arc::new(Fixed(Mutex::new(Seeded::new())));
            let store = SqliteStore::open(&folder.path().join("store"), host.clone()).await;
            let key = Secret::from([7; 32]);
            let settings = Settings { key_cache_bytes, ..Settings::default() };
            let service = Service::open(Arc::new(store.unwrap()), host, key, settings).await;
            let service = service.unwrap();
            let account = service.prepare_account("one", Custody::Server).await.unwrap();
            let root = service.create_account(&By::OPERATOR, account).await.unwrap();
            (service, format!("Bearer {}", *root.expose_text()))
        });
        // Nothing of what is called here has a limit by default; but limits bring a clock that is
        // calibrated at its start, for as many instructions as it takes.
        let rates = RateConfig { address: None, token: None, refused: None };
        let config = Config { rates, ..Config::default() };
        let app = App::new(Arc::new(service), config).into_service();
        Server { app, root, runtime, _folder: folder }
    }
}

impl<S: HttpService> Server<S> {
    /// The body of a request that encapsulates to a new key pair.
    fn encapsulation(&self) -> Bytes {
        let made = self.post("/api/kem/generate_keys", &self.root, &Bytes::new());
        let made = read(&made);
        let body = json!({
            "pk": text(&made, "pk"),
            "signature": text(&made, "verification_signature"),
            "verif_key": text(&made, "verification_key"),
        });
        Bytes::from(body.to_string())
    }

    fn post(&self, path: &str, authorization: &str, body: &Bytes) -> Bytes {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("authorization", authorization)
            .header("content-type", "application/json")
            .header("content-length", body.len())
            .body(Body::from(body.clone()))
            .unwrap();
        self.runtime.block_on(async {
            let response = self.app.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(status, http::StatusCode::OK, "{body:?}");
            body
        })
    }
}

fn read(answer: &Bytes) -> Value {
    serde_json::from_slice(answer).unwrap()
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap()
}

/// A machine on which no time passes, whose randomness is known.
struct Fixed(Mutex<Seeded>);

impl Host for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomnessFailed> {
        self.0.lock().unwrap().fill(bytes);
        Ok(())
    }

    fn halt(&self, _: &str) {
        std::process::abort();
    }
}
