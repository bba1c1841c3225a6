//! Traces for a collector: the spans of calls, by OTLP over HTTP in protobuf.
//!
//! Only spans that are made for it go out ([`TRACE_TARGET`]), and no event of the log. They wait in
//! a queue that has an end, and a thread of its own sends them: where the collector is slow or gone,
//! spans are lost and the server goes on.

use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use pqc_http::TRACE_TARGET;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// What sends spans.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends to the collector at this base of a URL, from now on. It need not be there yet.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub(crate) fn start(endpoint: &str) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(SENDING_TIMEOUT)
            .build()
            .context("cannot prepare traces (--otlp-endpoint)")?;
        let resource = Resource::builder()
            .with_service_name("pqc")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder().with_resource(resource);
        Ok(Self(provider.with_batch_exporter(exporter).build()))
    }

    /// What hears the spans.
    pub(crate) fn layer<S>(&self) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let wanted = filter_fn(|span| span.is_span() && span.target() == TRACE_TARGET);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("pqc"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(wanted.with_max_level_hint(Level::INFO))
    }

    /// Sends what waits, within a time.
    pub(crate) fn end(self) {
        if self.0.shutdown_with_timeout(ENDING_TIMEOUT).is_err() {
            tracing::warn!("not all traces could be sent to the collector");
        }
    }
}

/// The collector is where the setting says, whatever proxies the environment names and whatever an
/// answer says. Made on a thread that no runtime has: it brings its own.
fn client() -> anyhow::Result<reqwest::blocking::Client> {
    let make = || {
        reqwest::blocking::Client::builder()
            .no_proxy()
            // It speaks no TLS, and so needs none of the system's certificates.
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(SENDING_TIMEOUT)
            .build()
    };
    let made = thread::Builder::new().name("traces".to_owned()).spawn(make)?.join();
    Ok(made.map_err(|_| anyhow!("cannot start the client for traces"))??)
}

/// For one batch.
const SENDING_TIMEOUT: Duration = Duration::from_secs(5);
/// For the last ones; nobody waits longer for the server's end.
const ENDING_TIMEOUT: Duration = Duration::from_secs(2);
