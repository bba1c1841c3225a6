//! One of a million stored keys beside one of a thousand.

use pqc_service::audit::{Use, WrittenDown};
use std::time::{Duration, Instant};

use pqc_core::token::{Demand, TokenValue};
use pqc_core::{Ciphertext, KemAlgorithm, UnverifiedKey};

use crate::ground::{Ground, Opened};
use crate::program::Server;
use crate::{Extent, latency};

/// A stored key, and a ciphertext for it.
struct Stored {
    public_key: Vec<u8>,
    ciphertext: Ciphertext,
}

pub(crate) async fn measure(ground: &Ground, extent: Extent) {
    let opened = ground.open().await;
    let root = opened.root.as_ref().unwrap();
    let stored = store_keys(&opened, root, extent.few).await;
    let few = decapsulate(&opened, root, &stored, extent.time).await;
    let small = memory(ground, root, &stored);

    let account = hex::encode(opened.account().await.as_bytes());
    let begun = Instant::now();
    let mut left = extent.many;
    while left > 0 {
        let some = left.min(50_000);
        fill(ground, &account, some).await;
        left -= some;
    }
    ground.execute("SELECT 1", "ANALYZE keys").await;
    let bytes = ground.bytes().await >> 20;
    println!("{:?}: {} keys in {:?}, {bytes} MiB", ground.kind, extent.many, begun.elapsed());

    let many = decapsulate(&opened, root, &stored, extent.time).await;
    println!(
        "{:?}: decapsulation by one of {}: median {many:?}, {:.2} times that of {} ({few:?})",
        ground.kind,
        extent.many + extent.few,
        many.as_secs_f64() / few.as_secs_f64(),
        extent.few,
    );
    let large = memory(ground, root, &stored);
    if let (Some(small), Some(large)) = (small, large) {
        println!(
            "{:?}: the server's resident memory after {CALLS} calls: {large} KiB, with {} keys \
             {small} KiB",
            ground.kind, extent.few
        );
    }
    let account = opened.account().await;
    let (median, _) =
        latency(5, async |_| opened.store.stored_keys(account, extent.many).await.unwrap()).await;
    println!("{:?}: a count of {} keys: median {median:?}", ground.kind, extent.many);
    opened.store.close().await;
}

async fn admitted(opened: &Opened, root: &TokenValue) -> pqc_service::Admitted {
    let caller = opened.service.authenticate(&root.expose_text()).await.unwrap();
    opened
        .service
        .spend(caller.authorize(Demand::Root).unwrap(), Use::new("sign", WrittenDown::IfAll))
        .await
        .unwrap()
}

async fn store_keys(opened: &Opened, root: &TokenValue, count: u64) -> Vec<Stored> {
    let by = admitted(opened, root).await;
    let mut stored = Vec::new();
    for _ in 0..count {
        let pair =
            opened.service.generate_key_pair(&by, KemAlgorithm::MlKem768, None, |_| Ok("")).await;
        let key = pair.unwrap().0.encapsulation_key;
        let sent = opened.service.encapsulate_unattested(&by, &key).unwrap();
        stored.push(Stored { public_key: key.as_bytes().to_vec(), ciphertext: sent.0 });
    }
    stored
}

/// The whole call without HTTP: the token is found, the key read, opened and used. The median.
async fn decapsulate(
    opened: &Opened,
    root: &TokenValue,
    stored: &[Stored],
    time: Duration,
) -> Duration {
    // A four-second run is some ten thousand calls.
    let calls = usize::try_from(time.as_millis() * 3).unwrap();
    let mut call = async |n: usize| {
        // A stride that comes by every key, and by none twice in a row.
        let key = &stored[n * 7919 % stored.len()];
        let by = admitted(opened, root).await;
        let public_key = UnverifiedKey::from_bytes(&key.public_key).unwrap();
        opened.service.decapsulate(&by, &public_key, &key.ciphertext).await.unwrap()
    };
    latency(calls / 4, &mut call).await;
    latency(calls, &mut call).await.0
}

/// The server's after some calls, in KiB.
fn memory(ground: &Ground, root: &TokenValue, stored: &[Stored]) -> Option<u64> {
    let server = Server::start(ground)?;
    for n in 0..CALLS {
        let key = &stored[n * 7919 % stored.len()];
        let json = format!(
            "{{\"cipher\": \"{}\", \"pk\": \"{}\"}}",
            hex::encode(key.ciphertext.as_bytes()),
            hex::encode(&key.public_key)
        );
        server.post("/api/kem/decapsulate_key", &root.expose_text(), &json);
    }
    server.resident_kib()
}

/// Rows as long as those of ML-KEM-768 pairs, which no key opens.
async fn fill(ground: &Ground, account: &str, count: u64) {
    let columns = "INSERT INTO keys (account, id, kind, algorithm, public_key, attestation, sealed, \
         created_at)";
    let sqlite = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         {columns} SELECT x'{account}', randomblob(32), kind, algorithm, \
         randomblob(length(public_key)), randomblob(length(attestation)), \
         CAST(substr(sealed, 1, 6) || randomblob(length(sealed) - 6) AS BLOB), created_at + i \
         FROM n, (SELECT * FROM keys WHERE version IS NULL LIMIT 1)"
    );
    // Its random bytes are short; compressed they would not be as long as true ones.
    let random = |length: &str| {
        format!(
            "(SELECT substr(string_agg(sha256((i::text || b::text || clock_timestamp())::bytea), \
             ''::bytea), 1, {length}) FROM generate_series(0, {length} / 32) AS b)"
        )
    };
    let postgres = format!(
        "{columns} SELECT '\\x{account}', sha256((i::text || clock_timestamp())::bytea), kind, \
         algorithm, {}, {}, substr(sealed, 1, 6) || {}, created_at + i \
         FROM generate_series(1, {count}) AS i, \
         (SELECT * FROM keys WHERE version IS NULL LIMIT 1) AS one",
        random("length(public_key)"),
        random("length(attestation)"),
        random("(length(sealed) - 6)"),
    );
    ground.execute(&sqlite, &postgres).await;
}

const CALLS: usize = 500;
