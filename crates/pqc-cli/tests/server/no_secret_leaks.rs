//! No secret in any output: the whole flow at the most verbose log level, then a search of all
//! that the server wrote, for each secret in each form in which it could stand there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use pqc_core::{
    AccountId, DecapsulationKey, KemAlgorithm, KeyId, MasterKey, MasterKeys, RecordKind,
    RecordName, Secret,
};
use pqc_service::{KeyRecord, SqliteStore, Store, System};
use serde_json::{Value, json};

use crate::support::{Call, Client, Folder, KeyPair, block_on, bytes, bytes_of, text, together};

const PLAINTEXT: &str = "the gold is buried under the old oak tree";

/// Secrets by a name for people.
type Secrets = BTreeMap<String, Vec<u8>>;

/// The forms in which a part of the secret could stand in a log or a file.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    assert!(secret.len() >= 18);
    let mut forms = Vec::new();
    // A part is as bad as the whole.
    for part in [&secret[..18], &secret[secret.len() - 18..]] {
        forms.push(("raw", part[..16].to_vec()));
        forms.push(("hex", hex::encode(&part[..8]).into_bytes()));
        forms.push(("HEX", hex::encode_upper(&part[..8]).into_bytes()));
        // Whatever stands before it in the encoded whole.
        for shift in 0..3 {
            let aligned = &part[shift..shift + 15];
            forms.push(("base64", Base64Unpadded::encode_string(aligned).into_bytes()));
            forms.push(("base64url", Base64UrlUnpadded::encode_string(aligned).into_bytes()));
        }
        for separator in [", ", ",", " "] {
            let numbers: Vec<_> = part[..8].iter().map(ToString::to_string).collect();
            forms.push(("numbers", numbers.join(separator).into_bytes()));
        }
    }
    forms
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Which secrets stand in it, in which form.
fn found<'a>(haystack: &[u8], secrets: &'a Secrets) -> Vec<(&'a str, &'static str)> {
    let each = secrets.iter().flat_map(|(name, secret)| {
        forms(secret).into_iter().map(move |(form, needle)| (name.as_str(), form, needle))
    });
    let hits = each.filter(|(_, _, needle)| contains(haystack, needle));
    hits.map(|(name, form, _)| (name, form)).collect()
}

#[test]
fn the_search_finds_what_is_there() {
    let secret: Vec<u8> = (100..164).collect();
    let secrets = Secrets::from([("it".to_owned(), secret.clone())]);
    let tail = &secret[40..];
    for hidden in [
        secret.clone(),
        hex::encode(&secret).into_bytes(),
        hex::encode_upper(tail).into_bytes(),
        Base64Unpadded::encode_string(&[b"x".as_slice(), &secret].concat()).into_bytes(),
        Base64UrlUnpadded::encode_string(&[b"xy", tail].concat()).into_bytes(),
        format!("{secret:?}").into_bytes(),
        serde_json::to_vec(&secret).unwrap(),
    ] {
        let log = [b"before ".as_slice(), &hidden, b" after"].concat();
        assert!(!found(&log, &secrets).is_empty(), "{}", String::from_utf8_lossy(&log));
    }
    assert!(found(b"nothing here", &secrets).is_empty());
}

/// Plays every call, right and wrong, and notes each secret that went in or out.
fn play(root: &Client, secrets: &mut Secrets) -> KeyPair {
    let mut note =
        |name: &str, secret: &[u8]| drop(secrets.insert(name.to_owned(), secret.to_vec()));
    note("the plaintext", PLAINTEXT.as_bytes());
    note_token(&mut note, "the root token", &root.token);
    let token = root.mint(&json!({"expire_after_attempts": 1000, "label": "for the flow"}));
    note_token(&mut note, "the temporary token", &token.token);

    let pair = token.generate();
    let (cipher, shared_key) = pair.encapsulated_by(&token);
    note("the shared key", &bytes(&shared_key));
    token.post("/api/kem/decapsulate_key", &json!({"cipher": cipher, "pk": pair.pk})).ok();
    let held = token.generate_with(&json!({"custody": "client"}));
    let sk = held.sk.clone().unwrap();
    note("the client's seed", &bytes(&sk));
    let expanded =
        DecapsulationKey::from_seed_or_expanded(KemAlgorithm::MlKem768, &bytes(&sk)).unwrap();
    let expanded = expanded.expose_expanded().unwrap().expose_bytes();
    note("the client's expanded key", &expanded[..1152]);
    let (cipher, shared_key) = held.encapsulated_by(&token);
    note("the client's shared key", &bytes(&shared_key));
    for sk in [&sk, &hex::encode(expanded)] {
        token.post("/api/kem/decapsulate_key", &json!({"cipher": cipher, "sk": sk})).ok();
    }
    for key in [json!(null), json!(shared_key)] {
        let fields = json!({"unencrypted": PLAINTEXT, "key": key});
        let sealed = token.post("/api/aes/encrypt_text", &fields).ok_text();
        let fields = json!({"ciphertext": sealed, "key": key});
        assert_eq!(token.post("/api/aes/decrypt_text", &fields).ok_text(), PLAINTEXT);
    }
    let signed = token.post("/api/signature/sign", &json!({"data": PLAINTEXT})).ok();
    let fields = json!({"data": PLAINTEXT, "pk": signed["pk"], "signature": signed["signature"]});
    token.post("/api/signature/verify", &fields).ok();

    let v1 = |call: &str, fields: Value| token.post(&format!("/api/v1/pqc/{call}/"), &fields).ok();
    let kem = v1("kem/generate-keys", json!({}));
    note("the seed of family B", &bytes_of(&kem, "decapsulation_key"));
    let sent = v1("kem/encapsulate", json!({"encapsulation_key": kem["encapsulation_key"]}));
    note("the shared secret of family B", &bytes_of(&sent, "shared_secret"));
    v1(
        "kem/decapsulate",
        json!({
            "decapsulation_key": kem["decapsulation_key"], "ciphertext": sent["ciphertext"],
        }),
    );
    let sign = v1("sign/generate-keys", json!({}));
    note("the signing seed of family B", &bytes_of(&sign, "secret_key"));
    v1("sign/sign", json!({"secret_key": sign["secret_key"], "message": PLAINTEXT}));

    // The same secrets in calls that are refused.
    let post = |path: &str, fields: &Value| token.post(path, fields).status;
    let seed = text(&sign, "secret_key");
    let statuses = [
        token.get(&format!("/api/kem/decapsulate_key?sk={sk}")).status,
        token.get(&format!("/api/kem/generate_keys?key={shared_key}&data={PLAINTEXT}")).status,
        token.get(&format!("/{}", root.token)).status,
        token.get(&format!("/api/{shared_key}?x={}", token.token)).status,
        post("/api/kem/decapsulate_key", &json!({"cipher": sk, "sk": shared_key})),
        post("/api/aes/encrypt_text", &json!({"unencrypted": [PLAINTEXT], "key": sk})),
        post("/api/aes/encrypt_text", &json!({"unencrypted": PLAINTEXT, "aad": {"k": shared_key}})),
        post("/api/signature/sign", &json!({"data": PLAINTEXT, "encoding": PLAINTEXT})),
        post("/api/signature/sign", &json!({"data": PLAINTEXT, "algorithm": seed})),
        post("/api/v1/pqc/sign/sign", &json!({"secret_key": format!("{seed}00"), "message": "x"})),
        token.post("/api/token/new", &json!({"label": token.token})).status,
        root.post("/api/token/new", &json!({"operations": [token.token]})).status,
        token
            .send(&Call::post_raw("/api/signature/sign", format!("{{\"data\":\"{PLAINTEXT}\"")))
            .status,
        token.send(&Call::post_raw("/api/signature/sign", format!("{{\"{PLAINTEXT}\":}}"))).status,
        root.with_scheme("Basic").get("/api/v1/token/self").status,
        root.with_token(&format!("{}x", root.token)).get("/api/v1/token/self").status,
        token.send(&Call::new(&format!("X-{}", token.token), "/healthz")).status,
    ];
    let expected =
        [422, 422, 404, 404, 422, 422, 422, 422, 422, 422, 403, 422, 400, 400, 401, 401, 405];
    assert_eq!(statuses, expected);
    pair
}

fn note_token(note: &mut impl FnMut(&str, &[u8]), name: &str, token: &str) {
    note(name, &token.as_bytes()[6..]);
    note(&format!("{name}, decoded"), &Base64UrlUnpadded::decode_vec(&token[6..]).unwrap());
}

/// Opens what the store keeps sealed: the seeds themselves.
fn stored_secrets(folder: &Folder, account: &str, pair: &KeyPair, secrets: &mut Secrets) {
    let master = fs::read_to_string(folder.file("master.key")).unwrap();
    let master: [u8; 32] = hex::decode(master.trim_end()).unwrap().try_into().unwrap();
    secrets.insert("the master key".to_owned(), master.to_vec());
    let masters = MasterKeys::new(MasterKey::new(1, Secret::from(master)));
    let account = AccountId::from_slice(&bytes(account)).unwrap();
    let records: Vec<KeyRecord> = block_on(async {
        let store = SqliteStore::open(&folder.file("pqc.db"), Arc::new(System)).await.unwrap();
        let id = KeyId::from_slice(&bytes(&pair.key_id)).unwrap();
        let mut records = vec![store.key(account, &id).await.unwrap().unwrap()];
        for (owner, kind) in [
            (account, RecordKind::SigningKey),
            (account, RecordKind::AesKey),
            (AccountId::SERVER, RecordKind::IssuerKey),
        ] {
            records.extend(store.key_versions(owner, kind).await.unwrap());
        }
        store.close().await;
        records
    });
    assert_eq!(records.len(), 4);
    for KeyRecord { account, id, kind, algorithm, sealed, .. } in records {
        let name = RecordName { account, kind, algorithm: &algorithm, record_id: id.as_bytes() };
        let secret = masters.open(&name, &sealed).unwrap();
        secrets.insert(format!("the stored {}", kind.name()), secret.expose_bytes().to_vec());
    }
}

/// The store's files, and whatever else lies in the folder.
fn files(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder.data_dir()).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let public = names.filter(|name| !["root-token", "master.key"].contains(&name.as_str()));
    public.map(|name| (name.clone(), fs::read(folder.file(&name)).unwrap())).collect()
}

fn searched_in(log_format: &str) {
    let folder = Folder::new();
    let server = folder.serve_with(&format!("--log trace --log-format {log_format}"));
    let root = server.root();
    let mut secrets = Secrets::new();
    let pair = play(&root, &mut secrets);
    together(8, |_| {
        let root = root.clone();
        async move { root.try_send(Call::get("/api/kem/generate_keys")).await.unwrap().ok() }
    });
    let printed = server.verb("account new other").line();
    secrets.insert("the other account's token".to_owned(), printed.as_bytes()[6..].to_vec());
    let call = Call::get("/healthz").header("x-request-id", "look-for-this-id");
    server.anyone().send(&call).ok();
    let account = text(&root.token_self(), "account");
    let while_running = files(&folder);
    let ended = server.stop();
    stored_secrets(&folder, &account, &pair, &mut secrets);

    // The line of the first start shows the root token, as it should, once.
    let log: Vec<_> = ended.stderr.lines().filter(|line| *line != root.token).collect();
    assert_eq!(log.len(), ended.stderr.lines().count() - 1);
    let log = log.join("\n").into_bytes();
    let mut places = vec![("the log".to_owned(), log.clone())];
    places.push(("stdout".to_owned(), ended.stdout.into_bytes()));
    places.extend(while_running);
    places.extend(files(&folder));
    for (place, content) in &places {
        let found = found(content, &secrets);
        assert!(found.is_empty(), "in {place}: {found:?}");
    }
    println!("{} secrets, {} places, {} bytes of log", secrets.len(), places.len(), log.len());
    assert_eq!(secrets.len(), 18);

    // The search looked where things are: what is not secret is there.
    assert!(contains(&log, b"look-for-this-id") && contains(&log, account.as_bytes()));
    // A row is longer than a page of the database, so a key lies there in pieces.
    let mut pieces = bytes(&pair.pk);
    pieces.truncate(1152);
    let in_store = |piece: &[u8]| {
        places.iter().any(|(name, content)| name.starts_with("pqc.db") && contains(content, piece))
    };
    assert!(pieces.chunks(32).filter(|piece| in_store(piece)).count() >= 34);
}

#[test]
fn no_secret_is_in_the_logs_at_trace_or_in_the_stores_files() {
    searched_in("human");
}

#[test]
fn no_secret_is_in_the_logs_as_json() {
    searched_in("json");
}
