//! Numbers that stand elsewhere, looked up when they are asked for: the store's, the keys and bodies
//! in memory, the process's own.

use std::fmt;
use std::sync::Arc;

use pqc_service::{Distribution, Service};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::body::Ceiling;

/// Where they stand.
#[derive(Debug)]
pub(super) struct Figures {
    service: Arc<Service>,
    bodies: Ceiling,
}

impl Figures {
    pub(super) fn new(service: &Arc<Service>, bodies: &Ceiling) -> Self {
        Self { service: Arc::clone(service), bodies: bodies.clone() }
    }

    fn store(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.service.store_figures();
        let mut times = encoder.encode_descriptor(
            "pqc_store_duration",
            "Time of the store's work",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        let works =
            [("read", &figures.reads), ("write", &figures.writes), ("spend", &figures.spends)];
        for (work, times_of_work) in works {
            let labels = [("work", work)];
            distribution(times.encode_family(&labels)?, times_of_work, MICROS_A_SECOND)?;
        }
        let sizes = encoder.encode_descriptor(
            "pqc_store_batch_size",
            "Changes in a committed transaction",
            None,
            MetricType::Histogram,
        )?;
        distribution(sizes, &figures.batches, 1.0)?;
        let name = "pqc_store_failures";
        let help = "Transactions that came to nothing, or may have";
        let mut failures = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        failures.encode_counter::<[(&str, &str); 0], _, f64>(&figures.failures, None)?;
        let help = "Changes that wait for their commit";
        gauge(encoder, "pqc_store_changes_waiting", help, None, figures.waiting)
    }

    fn keys(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.service.cache_figures();
        let (name, help) = ("pqc_key_cache_lookups", "Keys that calls asked for");
        let mut lookups = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (kind, of_kind) in [
            ("decapsulation_key", figures.decapsulation_keys),
            ("signing_key", figures.signing_keys),
            ("attested_key", figures.attested_keys),
        ] {
            for (result, count) in [("hit", of_kind.hits), ("miss", of_kind.misses)] {
                let labels = [("kind", kind), ("result", result)];
                let mut series = lookups.encode_family(&labels)?;
                series.encode_counter::<[(&str, &str); 0], _, f64>(&count, None)?;
            }
        }
        let help = "Opened keys in memory";
        gauge(encoder, "pqc_key_cache", help, Some(&Unit::Bytes), figures.bytes)
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.store(&mut encoder)?;
        self.keys(&mut encoder)?;
        let bytes = self.bodies.used() as u64;
        gauge(&mut encoder, "pqc_bodies", "Bodies in memory", Some(&Unit::Bytes), bytes)?;
        let Some(process) = Process::now() else { return Ok(()) };
        let help = "Memory that the process has in use";
        let name = "process_resident_memory";
        gauge(&mut encoder, name, help, Some(&Unit::Bytes), process.resident_bytes)?;
        let help = "Files and sockets that the process has open";
        gauge(&mut encoder, "process_open_fds", help, None, process.open_files)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
}

/// Writes a distribution whose values are so many parts of a unit.
fn distribution(mut to: MetricEncoder<'_>, of: &Distribution, parts: f64) -> fmt::Result {
    let in_units = |value: u64| value as f64 / parts;
    let bounds = of.bounds.iter().map(|bound| in_units(*bound)).chain([f64::INFINITY]);
    let buckets: Vec<_> =
        bounds.zip(of.counts.iter().copied().chain(std::iter::repeat(0))).collect();
    to.encode_histogram::<[(&str, &str); 0]>(in_units(of.sum), of.count(), &buckets, None)
}

/// What the system says of this process, where it says it.
struct Process {
    resident_bytes: u64,
    open_files: u64,
}

impl Process {
    #[cfg(target_os = "linux")]
    fn now() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        Some(Self { resident_bytes: kib.saturating_mul(1024), open_files })
    }

    #[cfg(not(target_os = "linux"))]
    fn now() -> Option<Self> {
        None
    }
}

const MICROS_A_SECOND: f64 = 1_000_000.0;
