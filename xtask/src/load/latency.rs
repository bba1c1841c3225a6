//! The section of latency: calls at a fixed rate, each timed from when it was due, so that a stall
//! counts for all that it keeps waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::document::figure;
use super::material::{MESSAGE, Material, text};
use super::operation::CONNECTIONS;
use super::section::{Goal, Limit, Part, Table};
use super::subject::Subject;
use super::wrk::{Body, Drive, drive};
use super::{Extent, Found};
use crate::http::{Connection, median, request};

/// Measures.
///
/// # Errors
/// The server does not start, or answers wrongly.
pub(crate) fn measure(extent: Extent) -> anyhow::Result<Found> {
    let subject = Subject::pqc(&[])?;
    let material = Material::of(&subject)?;
    let mut found = Found { goals: Vec::new(), parts: vec![Part::Text(about(extent))] };
    let calls = [
        (
            "Encapsulate to an attested key",
            ENCAPSULATE,
            Body::Json(material.encapsulate_key.clone()),
        ),
        ("Sign (ML-DSA-65)", "/api/signature/sign", Body::Json(material.sign.clone())),
        ("Make a key pair", "/api/kem/generate_keys", Body::Nothing),
    ];
    let mut rows = Vec::new();
    let mut saturation_of_encapsulation = 0.0;
    for (name, path, body) in &calls {
        let saturation = saturate(&subject, path, body, extent)?;
        if *path == ENCAPSULATE {
            saturation_of_encapsulation = saturation;
        }
        let call = Call::of(&subject, path, body);
        let mut rounds = Vec::new();
        for _ in 0..extent.rounds {
            rounds.push(call.open_loop(saturation / 2.0, extent.seconds)?);
        }
        let times = Times::median_of(&rounds);
        eprintln!("xtask: {name}: {times:?} at {:.0}/s", saturation / 2.0);
        let mut ratios: Vec<_> = rounds.iter().map(|times| times.p99 / times.median).collect();
        found.goals.push(Goal {
            what: format!("{name}: p99 at half of saturation ÷ median"),
            measured: Ok(median(&mut ratios)),
            limit: Limit::AtMost(P99_OVER_MEDIAN),
            unit: "×".to_owned(),
        });
        let figures = [times.median, times.p99, times.p999, times.p99 / times.median];
        let mut row = vec![(*name).to_owned(), figure((saturation / 2.0).round())];
        row.extend(figures.map(figure));
        rows.push(row);
    }
    let head =
        ["At half of saturation", "calls/s", "median, ms", "p99, ms", "p99.9, ms", "p99 ÷ median"];
    found.parts.push(Part::Table(Table { head: head.map(str::to_owned).to_vec(), rows }));
    beside(&subject, &material, saturation_of_encapsulation, extent, &mut found)?;
    Ok(found)
}

/// Encapsulation, calm and while others do what takes long.
fn beside(
    subject: &Subject,
    material: &Material,
    saturation: f64,
    extent: Extent,
    found: &mut Found,
) -> anyhow::Result<()> {
    let rate = saturation * CALM_SHARE;
    let call = Call::of(subject, ENCAPSULATE, &Body::Json(material.encapsulate_key.clone()));
    let large = format!(r#"{{"data":"{MESSAGE}","algorithm":"ML-DSA-87"}}"#);
    // Its key is made at its first use.
    subject.connect()?.post("/api/signature/sign", &large)?;
    let others = [
        ("2 connections encrypt texts of 8 MiB", "/api/aes/encrypt_text", text(8 << 20), 2),
        ("16 connections sign with ML-DSA-87", "/api/signature/sign", Body::Json(large), 16),
    ];
    let mut calm = Vec::new();
    let mut loud = vec![Vec::new(); others.len()];
    for _ in 0..extent.rounds {
        calm.push(call.open_loop(rate, extent.seconds)?);
        for ((_, path, body, connections), loud) in others.iter().zip(&mut loud) {
            let what = Drive { connections: *connections, seconds: extent.seconds + 1 };
            let times = thread::scope(|scope| {
                let driving = scope.spawn(|| {
                    let (address, token) = (&subject.server.address, &subject.server.root_token);
                    drive(address, path, token, body, what)
                });
                thread::sleep(SETTLE);
                let times = call.open_loop(rate, extent.seconds);
                driving.join().ok().context("the driver panicked")??;
                times
            })?;
            loud.push(times);
        }
    }
    let mut rows = Vec::new();
    let mut row = |name: &str, rounds: &[Times], ratio: f64| {
        let times = Times::median_of(rounds);
        eprintln!("xtask: encapsulation, {name}: {times:?}");
        let mut row = vec![name.to_owned()];
        row.extend([times.median, times.p99, times.p999, ratio].map(figure));
        rows.push(row);
    };
    row("calm", &calm, 1.0);
    for ((name, ..), loud) in others.iter().zip(&loud) {
        let mut ratios: Vec<_> =
            loud.iter().zip(&calm).map(|(loud, calm)| loud.p99 / calm.p99).collect();
        let ratio = median(&mut ratios);
        row(name, loud, ratio);
        found.goals.push(Goal {
            what: format!("p99 of encapsulation while {name} ÷ calm"),
            measured: Ok(ratio),
            limit: Limit::AtMost(LOUD_OVER_CALM),
            unit: "×".to_owned(),
        });
    }
    let first = format!("Encapsulation at {} calls/s", figure(rate.round()));
    let head = [&first, "median, ms", "p99, ms", "p99.9, ms", "p99 ÷ calm"];
    found.parts.push(Part::Table(Table { head: head.map(str::to_owned).to_vec(), rows }));
    Ok(())
}

/// The rate in closed loop.
fn saturate(subject: &Subject, path: &str, body: &Body, extent: Extent) -> anyhow::Result<f64> {
    let (address, token) = (&subject.server.address, &subject.server.root_token);
    let what = Drive { connections: CONNECTIONS, seconds: extent.seconds };
    Ok(drive(address, path, token, body, what)?.rate)
}

/// The bytes of a request.
struct Call {
    address: String,
    bytes: Vec<u8>,
}

impl Call {
    fn of(subject: &Subject, path: &str, body: &Body) -> Self {
        let (address, token) = (&subject.server.address, &subject.server.root_token);
        let json = if let Body::Json(json) = body { Some(json.as_str()) } else { None };
        let bytes = request("POST", path, address, token, json).into_bytes();
        Self { address: address.clone(), bytes }
    }

    /// Makes calls at this rate, spread over the connections, whatever the answers take.
    fn open_loop(&self, rate: f64, seconds: u64) -> anyhow::Result<Times> {
        let end = Duration::from_secs(seconds);
        let failed = AtomicBool::new(false);
        let begin = Instant::now() + SETTLE;
        let callers: anyhow::Result<Vec<Vec<f64>>> = thread::scope(|scope| {
            let callers: Vec<_> = (0..CONNECTIONS)
                .map(|number| {
                    let failed = &failed;
                    scope.spawn(move || {
                        let times = self.caller(number, rate, begin, end, failed);
                        if times.is_err() {
                            failed.store(true, Ordering::Relaxed);
                        }
                        times
                    })
                })
                .collect();
            let join = |caller: thread::ScopedJoinHandle<'_, _>| {
                caller.join().ok().context("a caller panicked")?
            };
            callers.into_iter().map(join).collect()
        });
        Times::of(callers?.concat())
    }

    /// One connection's calls: every so-many-th is its.
    fn caller(
        &self,
        number: usize,
        rate: f64,
        begin: Instant,
        end: Duration,
        failed: &AtomicBool,
    ) -> anyhow::Result<Vec<f64>> {
        let mut connection = Connection::to(&self.address)?;
        let mut times = Vec::new();
        for turn in 0.. {
            let place = turn as f64 * CONNECTIONS as f64 + number as f64;
            let due = Duration::from_secs_f64(place / rate);
            if due >= end || failed.load(Ordering::Relaxed) {
                break;
            }
            let due = begin + due;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            connection.ask(&self.bytes)?.ok()?;
            times.push(due.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    }
}

/// Times, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    median: f64,
    p99: f64,
    p999: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> anyhow::Result<Self> {
        ensure!(!times.is_empty(), "no call was due");
        times.sort_by(f64::total_cmp);
        let of = |share| percentile(&times, share);
        Ok(Self { median: of(0.5), p99: of(0.99), p999: of(0.999) })
    }

    fn median_of(rounds: &[Self]) -> Self {
        let of = |part: fn(&Self) -> f64| median(&mut rounds.iter().map(part).collect::<Vec<_>>());
        Self { median: of(|t| t.median), p99: of(|t| t.p99), p999: of(|t| t.p999) }
    }
}

/// The least value that this share of the values is not above; the values are in order.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
fn percentile(values: &[f64], share: f64) -> f64 {
    let place = (values.len() as f64 * share).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn about(Extent { rounds, seconds, .. }: Extent) -> String {
    format!(
        "Open loop: {CONNECTIONS} connections make calls at a fixed rate for {seconds} s, {rounds} \
         times, and each call is timed from when it was due, so a call that waits behind another on \
         its connection counts that too. The rate is a half of what `wrk -c{CONNECTIONS}` reaches \
         just before, and in the second table a tenth. The client is threads on the same processors; \
         that they wake up late is in the times."
    )
}

const ENCAPSULATE: &str = "/api/kem/encapsulate_key";
/// The share of saturation at which others are felt: they need the processors too.
const CALM_SHARE: f64 = 0.1;
const SETTLE: Duration = Duration::from_millis(300);
const P99_OVER_MEDIAN: f64 = 5.0;
const LOUD_OVER_CALM: f64 = 3.0;

#[test]
fn a_percentile_is_one_of_the_values() {
    let values: Vec<_> = (1..=1000).map(f64::from).collect();
    assert_eq!([0.5, 0.99, 0.999].map(|share| percentile(&values, share)), [500.0, 990.0, 999.0]);
    assert_eq!(percentile(&[7.0], 0.999), 7.0);
    assert!(percentile(&[], 0.5).is_nan());
}
