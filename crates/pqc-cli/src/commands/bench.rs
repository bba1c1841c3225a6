//! `pqc bench`: what each operation takes on this machine.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pqc_core::backend::{Active, Backend, RustCrypto};
use pqc_core::kem::ParameterSet;
use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::stream::{OpeningReader, SealingWriter};
use pqc_core::{
    AccountId, BoxKey, Context, DecapsulationKey, Error, Issuer, KemAlgorithm, Secret,
    SignatureAlgorithm, SigningKey, StreamKey, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey,
};
use serde::Serialize;

use crate::args::{Against, BenchArgs};
use crate::output::{Human, Output, write_table};

/// Measures, and prints a table.
///
/// # Errors
/// The operating system gives no randomness; stdout cannot be written.
pub(crate) fn run(args: &BenchArgs, output: Output) -> anyhow::Result<()> {
    let time = Duration::from_millis(args.time);
    let mut rows = kem(time, args.against)?;
    rows.extend(sign(time, args.against)?);
    rows.extend(aes(time)?);
    let against = args.against.map(|Against::Reference| RustCrypto::NAME);
    output.show(&Measured { backend: Active::NAME, against, rows })
}

fn kem(time: Duration, against: Option<Against>) -> anyhow::Result<Vec<Row>> {
    let rng = &mut getrandom::SysRng;
    let mut rows = Vec::new();
    for set in KemAlgorithm::ALL {
        let reference = set.parameter_set().zip(against).map(|(set, _)| Reference::new(set));
        let reference = reference.transpose()?;
        let other = |call: fn(&Reference) -> Result<(), Error>| {
            reference.as_ref().map(|reference| median(time, || call(reference))).transpose()
        };
        let mut row = |operation, ours, theirs| {
            rows.push(Row::new("kem", operation, set.name(), ours, theirs));
        };
        let key = DecapsulationKey::generate(set, rng)?;
        let public = key.encapsulation_key();
        let (ciphertext, _) = public.encapsulate_unattested(rng)?;
        let ours = median(time, || DecapsulationKey::generate(set, rng))?;
        row("generate", ours, other(Reference::generate)?);
        let ours = median(time, || public.encapsulate_unattested(rng))?;
        row("encapsulate", ours, other(Reference::encapsulate)?);
        let ours = median(time, || key.decapsulate(&ciphertext))?;
        row("decapsulate", ours, other(Reference::decapsulate)?);
    }
    Ok(rows)
}

/// The reference backend with a key pair of its own.
struct Reference {
    set: ParameterSet,
    public: Vec<u8>,
    expanded: pqc_core::SecretVec,
    ciphertext: Vec<u8>,
}

impl Reference {
    fn new(set: ParameterSet) -> Result<Self, Error> {
        let (public, expanded) = RustCrypto::kem_key_pair(set, &Secret::from([7; 64]));
        let (ciphertext, _) = RustCrypto::encapsulate(set, &public, &Secret::from([9; 32]))?;
        Ok(Self { set, public, expanded, ciphertext })
    }

    fn generate(&self) -> Result<(), Error> {
        let seed = Secret::generate(&mut getrandom::SysRng)?;
        black_box(RustCrypto::kem_key_pair(self.set, &seed));
        Ok(())
    }

    fn encapsulate(&self) -> Result<(), Error> {
        let message = Secret::generate(&mut getrandom::SysRng)?;
        RustCrypto::encapsulate(self.set, &self.public, &message).map(|sent| drop(black_box(sent)))
    }

    fn decapsulate(&self) -> Result<(), Error> {
        let expanded = self.expanded.expose_bytes();
        RustCrypto::decapsulate(self.set, expanded, &self.ciphertext)
            .map(|secret| drop(black_box(secret)))
    }
}

fn sign(time: Duration, against: Option<Against>) -> anyhow::Result<Vec<Row>> {
    let rng = &mut getrandom::SysRng;
    let mut rows = Vec::new();
    for set in SignatureAlgorithm::ALL {
        let mut row = |operation, ours, theirs| {
            rows.push(Row::new("sign", operation, set.name(), ours, theirs));
        };
        let key = SigningKey::generate(set, rng)?;
        let public = key.verifying_key();
        let signature = key.sign(MESSAGE, Context::EMPTY, rng)?;
        let expanded = key.expose_expanded().expose_bytes();

        let ours = median(time, || SigningKey::generate(set, rng))?;
        let theirs = against.map(|_| {
            median(time, || {
                let seed = Secret::generate(&mut getrandom::SysRng)?;
                Ok::<_, Error>(RustCrypto::signing_key_pair(set, &seed))
            })
        });
        row("generate", ours, theirs.transpose()?);
        let ours = median(time, || key.sign(MESSAGE, Context::EMPTY, rng))?;
        let theirs = against.map(|_| {
            median(time, || {
                let hedge = Secret::generate(&mut getrandom::SysRng)?;
                RustCrypto::sign(set, expanded, MESSAGE, b"", &hedge)
            })
        });
        row("sign", ours, theirs.transpose()?);
        let verifies = |is_so: bool| is_so.then_some(()).context("a signature does not verify");
        let ours = median(time, || verifies(public.verify(MESSAGE, Context::EMPTY, &signature)))?;
        let (bytes, signature_bytes) = (public.as_bytes(), signature.as_bytes());
        let theirs = against.map(|_| {
            median(time, || verifies(RustCrypto::verify(set, bytes, MESSAGE, b"", signature_bytes)))
        });
        row("verify", ours, theirs.transpose()?);

        let digest = PreHash::of(PreHashAlgorithm::Sha512, MESSAGE);
        let ours = median(time, || key.sign_prehash(&digest, Context::EMPTY, rng))?;
        row("sign-prehash", ours, None);
    }
    rows.extend(attest(time)?);
    Ok(rows)
}

fn attest(time: Duration) -> anyhow::Result<Vec<Row>> {
    let rng = &mut getrandom::SysRng;
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, rng)?;
    let trusted = TrustedIssuers::new([issuer.verifying_key().clone()]);
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
    let public = key.encapsulation_key();
    let now = Timestamp::from_seconds(1_800_000_000);
    let account = AccountId::from_bytes([7; 16]);
    let attestation = issuer.attest(account, public, now, None, rng)?;
    let issue = median(time, || issuer.attest(account, public, now, None, rng))?;
    let unverified = UnverifiedKey::from_bytes(public.as_bytes())?;
    let verify = median(time, || {
        let by = issuer.verifying_key();
        VerifiedEncapsulationKey::verify(&unverified, &attestation, by, &trusted, None, now)
    })?;
    let row = |operation, seconds| Row::new("attest", operation, "ML-KEM-768", seconds, None);
    Ok(vec![row("issue", issue), row("verify", verify)])
}

fn aes(time: Duration) -> anyhow::Result<Vec<Row>> {
    let rng = &mut getrandom::SysRng;
    let secret = Secret::generate(rng)?;
    let (box_key, stream_key) = (BoxKey::from_caller(&secret), StreamKey::from_caller(&secret));
    let mut rows = Vec::new();
    let mut row = |family, operation, name, seconds, bytes| {
        rows.push(Row::new(family, operation, name, seconds, None).of(bytes));
    };
    for (name, bytes) in [("1 KiB", 1 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)] {
        let text = vec![0x5a; bytes];
        let sealed = box_key.seal(&text, b"", rng)?;
        row("aes", "seal", name, median(time, || box_key.seal(&text, b"", rng))?, bytes);
        row("aes", "open", name, median(time, || box_key.open(&sealed, b""))?, bytes);
    }
    let text = vec![0x5a; 32 << 20];
    let seal = median(time, || {
        let mut writer = SealingWriter::new(io::sink(), &stream_key, b"", rng)?;
        writer.write_all(&text)?;
        writer.finish()
    })?;
    row("stream", "seal", "32 MiB", seal, text.len());
    let stream = stream_key.seal(&text, b"", rng)?;
    let mut buffer = vec![0; 4 << 20];
    let open = median(time, || {
        let mut reader = OpeningReader::new(stream.as_slice(), &stream_key, b"")?;
        while reader.read(&mut buffer)? > 0 {}
        Ok::<_, io::Error>(())
    })?;
    row("stream", "open", "32 MiB", open, text.len());
    Ok(rows)
}

/// Seconds of a call: the median of calls that take `time` together, seven at least.
fn median<T, E>(time: Duration, mut call: impl FnMut() -> Result<T, E>) -> Result<f64, E> {
    let start = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < 7 || start.elapsed() < time {
        let begun = Instant::now();
        black_box(call()?);
        seconds.push(begun.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds.get(seconds.len() / 2).copied().unwrap_or_default())
}

#[derive(Debug, Serialize)]
struct Measured {
    backend: &'static str,
    against: Option<&'static str>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    family: &'static str,
    operation: &'static str,
    parameter: String,
    microseconds: f64,
    per_second: f64,
    /// In large texts.
    mib_per_second: Option<f64>,
    /// Of the other backend.
    other_microseconds: Option<f64>,
    /// The other's time by this one's: above 1 this one is faster.
    ratio: Option<f64>,
}

impl Row {
    fn new(
        family: &'static str,
        operation: &'static str,
        parameter: &str,
        seconds: f64,
        other: Option<f64>,
    ) -> Self {
        Self {
            family,
            operation,
            parameter: parameter.to_owned(),
            microseconds: seconds * 1e6,
            per_second: 1.0 / seconds,
            mib_per_second: None,
            other_microseconds: other.map(|other| other * 1e6),
            ratio: other.map(|other| other / seconds),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn of(mut self, bytes: usize) -> Self {
        self.mib_per_second = Some(bytes as f64 / f64::from(1 << 20) * self.per_second);
        self
    }
}

impl Human for Measured {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let other = self.against.map(|name| format!("{name} µs")).unwrap_or_default();
        let ratio = if self.against.is_some() { "RATIO" } else { "" };
        let head = ["OPERATION", "PARAMETER", "µs", "PER SECOND", "MiB/s", &other, ratio];
        let number = |value: Option<f64>, digits| {
            value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
        };
        let rows = self.rows.iter().map(|row| {
            [
                format!("{} {}", row.family, row.operation),
                row.parameter.clone(),
                number(Some(row.microseconds), 1),
                number(Some(row.per_second), 0),
                number(row.mib_per_second, 0),
                number(row.other_microseconds, 1),
                number(row.ratio, 2),
            ]
        });
        writeln!(out, "backend: {}", self.backend)?;
        let table: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
        write_table(out, &table)
    }
}

const MESSAGE: &[u8] = &[0x5a; 64];
