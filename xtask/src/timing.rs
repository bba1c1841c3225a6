//! Whether the reasons for a 401 can be told apart by time.
//!
//! **Method.** A release server on loopback. In each round a few tokens of each kind are made anew:
//! unknown, expired, spent, revoked. Callers on connections of their own then ask with one of them at
//! random, again and again, so that samples of all kinds are interleaved and whatever else the machine
//! does falls on each alike. Only whole answers with status 401 count. For each pair of kinds:
//!
//! - the difference of the medians, and how often a difference as large comes about when the two
//!   kinds' samples are dealt out anew at random ([`DEALS`] times): the p-value of a permutation test;
//! - the p-value of the Mann-Whitney test (normal approximation, ranks of ties averaged), which sees
//!   differences other than of the medians too.
//!
//! Two controls with known answers show that the method works: the samples of one kind, split at
//! random, must not differ; and the same samples must differ once [`SHIFT`] is added to a half of
//! them. A pair differs if its permutation p-value is below [`LEVEL`] divided by the number of pairs.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tempfile::TempDir;

use crate::command::cargo;
use crate::http::{Connection, keyed_request, median, request};
use crate::server::{Server, field, pqc};

/// Builds, serves, measures, and prints the medians and p-values.
///
/// # Errors
/// Two kinds differ, or a control does not do what it must.
pub(crate) fn run(rounds: usize) -> anyhow::Result<()> {
    cargo("build --release")?;
    let folder = TempDir::new()?;
    let server = Server::start("release", folder.path(), &["--log", "warn"])?;
    let mut random = Random::new();
    println!("without an Idempotency-Key");
    compare(rounds, &server, folder.path(), &mut random, |token| {
        request("GET", "/api/v1/token/self", &server.address, token, None)
    })?;
    println!("with an Idempotency-Key");
    compare(rounds, &server, folder.path(), &mut random, |token| {
        keyed_request("/api/kem/generate_keys", &server.address, token, "{}", "timing")
    })
}

/// Compares the times in which such a request is refused.
fn compare(
    rounds: usize,
    server: &Server,
    folder: &Path,
    random: &mut Random,
    request: impl Fn(&str) -> String,
) -> anyhow::Result<()> {
    let mut samples: [Vec<f64>; KINDS.len()] = Default::default();
    for round in 0..rounds {
        let tokens = tokens(server, folder, random)?;
        let calls = tokens.map(|tokens| tokens.iter().map(|token| request(token)).collect());
        for (all, more) in samples.iter_mut().zip(sample(server, &calls)?) {
            all.extend(more);
        }
        eprintln!("xtask: round {} of {rounds}", round + 1);
    }
    for (kind, samples) in KINDS.iter().zip(&samples) {
        println!("{kind}: median {:.2} µs of {}", median(&mut samples.clone()), samples.len());
    }
    let told = controls(&samples[0], random)?;
    let mut apart = Vec::new();
    let pairs = KINDS.len() * (KINDS.len() - 1) / 2;
    for (index, (one, a)) in KINDS.iter().zip(&samples).enumerate() {
        for (other, b) in KINDS.iter().zip(&samples).skip(index + 1) {
            let found = Comparison::of(a, b, random);
            println!("{one} and {other}: {found}");
            if found.deals_p < LEVEL / pairs as f64 {
                apart.push(format!("{one} and {other}"));
            }
        }
    }
    ensure!(apart.is_empty(), "told apart by their medians: {}", apart.join(", "));
    println!("not told apart; a difference of {told:.2} µs would have been seen");
    Ok(())
}

/// Samples of one kind: split they are alike, shifted they are not. Gives the shift that is seen.
fn controls(samples: &[f64], random: &mut Random) -> anyhow::Result<f64> {
    let mut mixed = samples.to_vec();
    random.shuffle(&mut mixed);
    let (a, b) = mixed.split_at(mixed.len() / 2);
    let alike = Comparison::of(a, b, random);
    println!("control, alike: {alike}");
    ensure!(alike.deals_p >= LEVEL / 10.0, "the method finds what is not there");
    let shifted: Vec<_> = b.iter().map(|time| time + SHIFT).collect();
    let apart = Comparison::of(a, &shifted, random);
    println!("control, {SHIFT} µs apart: {apart}");
    ensure!(apart.deals_p < LEVEL, "the method does not see {SHIFT} µs: take more rounds");
    Ok(SHIFT)
}

/// A few tokens of each kind, all of them as long.
fn tokens(
    server: &Server,
    folder: &Path,
    random: &mut Random,
) -> anyhow::Result<[Vec<String>; KINDS.len()]> {
    let mut connection = Connection::to(&server.address)?;
    let mut mint = |json: &str| -> anyhow::Result<String> {
        let answer = connection.call("POST", "/api/token/new", &server.root_token, Some(json))?;
        Ok(field(&answer.ok()?, "new_token")?.to_owned())
    };
    let minted = |mint: &mut dyn FnMut(&str) -> anyhow::Result<String>, json: &str| {
        (0..TOKENS).map(|_| mint(json)).collect::<anyhow::Result<Vec<String>>>()
    };
    let expired = minted(&mut mint, r#"{"expiry_time":1}"#)?;
    let spent = minted(&mut mint, "{}")?;
    let revoked = minted(&mut mint, "{}")?;
    for token in &spent {
        let json = format!(r#"{{"unencrypted":"","key":"{}"}}"#, "00".repeat(32));
        connection.call("POST", "/api/aes/encrypt_text", token, Some(&json))?.ok()?;
    }
    for token in &revoked {
        let about = connection.call("GET", "/api/v1/token/self", token, None)?.ok()?;
        revoke(field(&about, "id")?, folder)?;
    }
    let unknown = (0..TOKENS).map(|_| {
        let text: Vec<u8> = (0..43).map(|_| random.one_of(LETTERS)).collect();
        // The last letter holds four bits alone.
        format!("pqc_t_{}A", String::from_utf8_lossy(text.get(..42).unwrap_or_default()))
    });
    let unknown = unknown.collect();
    thread::sleep(Duration::from_secs(2));
    Ok([unknown, expired, spent, revoked])
}

fn revoke(id: &str, folder: &Path) -> anyhow::Result<()> {
    let status = pqc("release")?
        .args(["token", "revoke", id, "--data-dir"])
        .arg(folder.join("data"))
        .stdout(fs::File::create(folder.join("revoked"))?)
        .status()?;
    ensure!(status.success(), "token revoke: {status}");
    Ok(())
}

/// Makes calls of each kind, and gives their times in microseconds.
fn sample(
    server: &Server,
    calls: &[Vec<String>; KINDS.len()],
) -> anyhow::Result<[Vec<f64>; KINDS.len()]> {
    let of_callers = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut random = Random::new();
                    let mut connection = Connection::to(&server.address)?;
                    let mut times: [Vec<f64>; KINDS.len()] = Default::default();
                    let begin = Instant::now();
                    while begin.elapsed() < ROUND {
                        let kind = random.below(KINDS.len());
                        let call = calls.get(kind).and_then(|of| of.get(random.below(of.len())));
                        let (Some(call), Some(times)) = (call, times.get_mut(kind)) else {
                            continue;
                        };
                        let asked = Instant::now();
                        let answer = connection.ask(call.as_bytes())?;
                        times.push(asked.elapsed().as_secs_f64() * 1e6);
                        ensure!(answer.status == 401, "answered {}", answer.status);
                    }
                    Ok(times)
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().map_err(|_| anyhow::anyhow!("a caller panicked"))?)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut all: [Vec<f64>; KINDS.len()] = Default::default();
    for times in of_callers {
        for (all, times) in all.iter_mut().zip(times) {
            all.extend(times);
        }
    }
    Ok(all)
}

/// How two lots of samples differ.
struct Comparison {
    /// Of the medians, in microseconds.
    difference: f64,
    deals_p: f64,
    ranks_p: f64,
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { difference, deals_p, ranks_p } = self;
        write!(out, "medians {difference:+.2} µs, p {deals_p:.4}; Mann-Whitney p {ranks_p:.4}")
    }
}

impl Comparison {
    fn of(a: &[f64], b: &[f64], random: &mut Random) -> Self {
        let medians_of = |values: &mut [f64]| {
            let (a, b) = values.split_at_mut(a.len());
            middle(a) - middle(b)
        };
        let mut all = [a, b].concat();
        let difference = medians_of(&mut all.clone());
        let as_large = (0..DEALS)
            .filter(|_| {
                random.shuffle(&mut all);
                medians_of(&mut all.clone()).abs() >= difference.abs()
            })
            .count();
        let deals_p = (as_large + 1) as f64 / (DEALS + 1) as f64;
        Self { difference, deals_p, ranks_p: mann_whitney(a, b) }
    }
}

/// The median, without sorting all of it.
fn middle(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// The two-sided p-value of the Mann-Whitney test.
fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<_> =
        a.iter().map(|time| (*time, true)).chain(b.iter().map(|time| (*time, false))).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut ranks_of_a, mut before, mut ties) = (0.0, 0, 0.0);
    for same in all.chunk_by(|one, other| one.0 == other.0) {
        let count = same.len() as f64;
        let rank = before as f64 + (count + 1.0) / 2.0;
        ranks_of_a += rank * same.iter().filter(|(_, is_a)| *is_a).count() as f64;
        ties += count * count * count - count;
        before += same.len();
    }
    let (n, m, all) = (a.len() as f64, b.len() as f64, all.len() as f64);
    let u = ranks_of_a - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    let z = (u - n * m / 2.0) / variance.sqrt();
    (2.0 * upper_tail(z.abs())).min(1.0)
}

/// The probability of more than `z` under the normal distribution (Abramowitz and Stegun, 26.2.17).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

/// Enough randomness to deal samples out: SplitMix64.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end as u64)).unwrap_or_default()
    }

    fn one_of(&mut self, of: &[u8]) -> u8 {
        of.get(self.below(of.len())).copied().unwrap_or_default()
    }

    fn shuffle(&mut self, values: &mut [f64]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}

const KINDS: [&str; 4] = ["unknown", "expired", "spent", "revoked"];
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TOKENS: usize = 10;
/// Many: a refusal waits, and so do they.
const CALLERS: usize = 16;
/// Shorter than the minute for which the store still knows a token that ended.
const ROUND: Duration = Duration::from_secs(15);
const DEALS: usize = 1000;
const LEVEL: f64 = 0.01;
/// In microseconds.
const SHIFT: f64 = 50.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn normal_like(random: &mut Random, mean: f64) -> Vec<f64> {
        let mut one = || (0..12).map(|_| random.below(1000) as f64 / 1000.0).sum::<f64>();
        (0..2000).map(|_| mean + one()).collect()
    }

    #[test]
    fn what_is_alike_is_not_told_apart_and_what_differs_is() {
        let mut random = Random(7);
        let (a, b, c) = (
            normal_like(&mut random, 0.0),
            normal_like(&mut random, 0.0),
            normal_like(&mut random, 0.2),
        );
        let alike = Comparison::of(&a, &b, &mut random);
        assert!(alike.deals_p > 0.05 && alike.ranks_p > 0.05, "{alike}");
        let apart = Comparison::of(&a, &c, &mut random);
        assert!(apart.deals_p < 0.01 && apart.ranks_p < 0.001, "{apart}");
    }

    #[test]
    fn the_rank_test_is_that_of_the_books() {
        // R: wilcox.test(c(1,2,3,4,10), c(5,6,7,8,9), exact = FALSE, correct = FALSE).
        let p = mann_whitney(&[1.0, 2.0, 3.0, 4.0, 10.0], &[5.0, 6.0, 7.0, 8.0, 9.0]);
        assert!((p - 0.1172).abs() < 0.0005, "{p}");
        assert!((2.0 * upper_tail(1.959_964) - 0.05).abs() < 1e-6);
        assert!((mann_whitney(&[1.0, 2.0], &[1.0, 2.0]) - 1.0).abs() < 1e-6);
    }
}
