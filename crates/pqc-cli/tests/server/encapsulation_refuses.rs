//! `encapsulate_key` refuses what is not vouched for, each time beside a twin that passes.

use pqc_core::{DecapsulationKey, KemAlgorithm, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::support::{
    Account, Answer, Call, Client, Folder, Issuer, bytes, bytes_of, flipped, shared, text,
    unreduced, with,
};

const PATH: &str = "/api/kem/encapsulate_key";

fn encapsulated(client: &Client, fields: &Value) -> Answer {
    client.post(PATH, fields)
}

#[test]
fn what_the_issuer_signed_is_encapsulated_to() {
    let Account { root, id, .. } = shared().account();
    for set in KemAlgorithm::ALL {
        let pair = root.generate_with(&json!({"algorithm": set.name(), "custody": "client"}));
        let answer = encapsulated(&root, &pair.to_encapsulate()).ok();
        assert_eq!(text(&answer, "account"), id);
        assert_eq!(bytes_of(&answer, "cipher").len(), set.ciphertext_bytes());
        // The core opens it with the client's seed.
        let seed = bytes(&pair.sk.unwrap());
        let key = DecapsulationKey::from_seed_or_expanded(set, &seed).unwrap();
        let cipher = pqc_core::Ciphertext::from_bytes(&bytes_of(&answer, "cipher")).unwrap();
        let secret = key.decapsulate(&cipher).unwrap();
        assert_eq!(bytes_of(&answer, "shared_key"), secret.expose_bytes());
    }
}

#[test]
fn each_encapsulation_is_a_fresh_one() {
    let root = shared().account().root;
    let pair = root.generate();
    let (first, second) = (pair.encapsulated_by(&root), pair.encapsulated_by(&root));
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

#[test]
fn a_signature_over_another_pk_is_refused() {
    let root = shared().account().root;
    let (pair, other) = (root.generate(), root.generate());
    let right = pair.to_encapsulate();
    encapsulated(&root, &with(&right, "pk", other.pk)).invalid(&["body.signature"]);
    encapsulated(&root, &with(&right, "signature", other.attestation)).invalid(&["body.signature"]);
    encapsulated(&root, &right).ok();
}

#[test]
fn a_flipped_bit_in_any_of_the_three_fields_is_refused() {
    let root = shared().account().root;
    let right = root.generate().to_encapsulate();
    // pk: t̂ and ρ. The signature: account, both times, c̃, z and the hint; its first byte is the
    // format's version. The verification key: ρ and t1.
    for (name, indexes) in [
        ("pk", &[0, 600, 1151, 1152, 1183][..]),
        ("signature", &[0, 1, 16, 17, 24, 25, 32, 33, 80, 81, 2000, 3281, 3341]),
    ] {
        for index in indexes {
            let wrong = with(&right, name, flipped(&text(&right, name), *index));
            let answer = encapsulated(&root, &wrong);
            answer.invalid(&["body.signature"]);
            assert!(!answer.start().contains("shared_key"), "{name}, byte {index}");
        }
    }
    for index in [0, 31, 32, 1000, 1951] {
        let wrong = with(&right, "verif_key", flipped(&text(&right, "verif_key"), index));
        let problem = encapsulated(&root, &wrong).problem(403);
        assert!(text(&problem, "type").ends_with(":untrusted-issuer"), "{problem}");
    }
    encapsulated(&root, &right).ok();
}

#[test]
fn another_issuers_valid_signature_is_refused_until_that_issuer_is_trusted() {
    let server = Folder::new().serve();
    let root = server.root();
    let pk = bytes(&root.generate().pk);
    let account = text(&root.token_self(), "account");
    for set in SignatureAlgorithm::ALL {
        let issuer = Issuer::new(set);
        let fields = issuer.vouches_for(&pk, &account, 0);
        let problem = encapsulated(&root, &fields).problem(403);
        assert!(text(&problem, "type").ends_with(":untrusted-issuer"), "{problem}");
        // Its twin: trusted beside the running server, it counts at once.
        let issuer = issuer.trusted_by(&server);
        encapsulated(&root, &fields).ok();
        // Trusted, it still has to have signed this.
        let wrong = with(&fields, "signature", flipped(&text(&fields, "signature"), 40));
        encapsulated(&root, &wrong).invalid(&["body.signature"]);
        assert!(!issuer.public().is_empty());
    }
}

#[test]
fn another_servers_keys_are_taken_once_its_issuer_is_trusted() {
    let (here, there) = (Folder::new().serve(), Folder::new().serve());
    let fields = there.root().generate().to_encapsulate();
    encapsulated(&here.root(), &fields).problem(403);
    let jwks = there.anyone().get("/.well-known/jwks.json").body;
    here.folder.verb_reading("issuer trust -", &jwks).ended(0);
    let answer = encapsulated(&here.root(), &fields).ok();
    let fields = json!({"cipher": answer["cipher"], "pk": fields["pk"]});
    let opened = there.root().post("/api/kem/decapsulate_key", &fields).ok();
    assert_eq!(opened["shared_key"], answer["shared_key"]);
}

#[test]
fn an_unreduced_key_that_a_trusted_issuer_signed_is_refused() {
    let Account { root, id, .. } = shared().account();
    let issuer = Issuer::new(SignatureAlgorithm::MlDsa65).trusted_by(shared());
    for set in KemAlgorithm::ALL {
        let pk = bytes(&root.generate_with(&json!({"algorithm": set.name()})).pk);
        let wrong = issuer.vouches_for(&unreduced(&pk), &id, 0);
        encapsulated(&root, &wrong).invalid(&["body.pk"]);
        encapsulated(&root, &issuer.vouches_for(&pk, &id, 0)).ok();
    }
}

#[test]
fn the_checks_come_in_the_order_of_the_contract() {
    let Account { root, id, .. } = shared().account();
    let other = shared().account().id;
    let pk = bytes(&root.generate().pk);
    let wrong_pk = unreduced(&pk);
    let trusted = Issuer::new(SignatureAlgorithm::MlDsa44).trusted_by(shared());
    let stranger = Issuer::new(SignatureAlgorithm::MlDsa44);
    // Everything is wrong at once; then one fault less each time, in the order of the checks.
    let asked = |fields: Value| encapsulated(&root, &with(&fields, "account", id.as_str()));
    let broken =
        |fields: &Value| with(fields, "signature", flipped(&text(fields, "signature"), 40));
    let worst = broken(&stranger.vouches_for(&wrong_pk, &other, 1));
    asked(with(&worst, "pk", "00")).invalid(&["body.pk"]);
    asked(worst).problem(403);
    asked(broken(&trusted.vouches_for(&wrong_pk, &other, 1))).invalid(&["body.signature"]);
    let problem = asked(trusted.vouches_for(&wrong_pk, &other, 1)).problem(403);
    assert!(text(&problem, "type").ends_with(":other-account"), "{problem}");
    let expired = asked(trusted.vouches_for(&wrong_pk, &id, 1)).invalid(&["body.signature"]);
    assert!(expired.to_string().contains("time"), "{expired}");
    asked(trusted.vouches_for(&wrong_pk, &id, 0)).invalid(&["body.pk"]);
    asked(trusted.vouches_for(&pk, &id, 0)).ok();
}

#[test]
fn each_field_has_its_form() {
    let root = shared().account().root;
    let right = root.generate().to_encapsulate();
    for name in ["pk", "signature", "verif_key"] {
        let value = text(&right, name);
        let place = format!("body.{name}");
        for wrong in [
            json!(value[2..]),
            json!(format!("{value}00")),
            json!(value[1..]),
            json!(""),
            json!(format!("g{}", &value[1..])),
            json!(format!("{}é", &value[2..])),
            json!(format!(" {value}")),
            json!(null),
            json!(7),
            json!(true),
            json!([value]),
            json!({"hex": value}),
        ] {
            let problem = encapsulated(&root, &with(&right, name, wrong)).invalid(&[&place]);
            assert!(!problem.to_string().contains(&value[2..40]), "the value is not quoted");
        }
    }
    let problem =
        encapsulated(&root, &json!({})).invalid(&["body.pk", "body.signature", "body.verif_key"]);
    assert!(problem["errors"].as_array().unwrap().iter().all(|error| error["type"] == "missing"));
    let length = encapsulated(&root, &with(&right, "pk", "00")).problem(422);
    assert_eq!(length["errors"][0]["msg"], "must be 800 or 1184 or 1568 or 1216 bytes, not 1");
    encapsulated(&root, &right).ok();
}

#[test]
fn an_expected_account_has_its_form_and_is_compared() {
    let Account { root, id, .. } = shared().account();
    let right = root.generate().to_encapsulate();
    for wrong in [json!(id[2..]), json!(7), json!("xyz")] {
        encapsulated(&root, &with(&right, "account", wrong)).invalid(&["body.account"]);
    }
    encapsulated(&root, &with(&right, "account", flipped(&id, 15))).problem(403);
    encapsulated(&root, &with(&right, "account", id.to_uppercase())).ok();
}

#[test]
fn a_body_that_is_not_a_json_object_is_refused() {
    let root = shared().account().root;
    let right = root.generate().to_encapsulate();
    let wrapped = json!([right]).to_string();
    for body in [wrapped.as_str(), "null", "7", "\"pk\"", "{", "", "pk=00", "{\"pk\":}"] {
        let call = Call::post_raw(PATH, body);
        root.send(&call).problem(400);
    }
    root.send(&Call::empty_post(PATH)).problem(400);
    root.send(&Call::post_raw(PATH, right.to_string())).ok();
}

#[test]
fn a_body_over_the_limit_is_refused() {
    const LIMIT: usize = 1024 * 1024;
    let root = shared().account().root;
    let right = root.generate().to_encapsulate();
    let padded = |length: usize| {
        let shorter = with(&right, "unknown", "").to_string();
        let padding = "x".repeat(length - shorter.len());
        Call::post_raw(PATH, with(&right, "unknown", padding).to_string())
    };
    let problem = root.send(&padded(LIMIT + 1)).problem(413);
    assert!(text(&problem, "detail").contains("1048576"), "{problem}");
    root.send(&padded(LIMIT)).ok();
}

#[test]
fn another_content_type_is_refused() {
    let root = shared().account().root;
    let right = root.generate().to_encapsulate();
    let call = Call::post(PATH, &right);
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
        "application/json; charset=latin1",
        "",
    ] {
        root.send(&call.clone().header("content-type", wrong)).problem(415);
    }
    root.send(&Call::new("POST", PATH).body(right.to_string())).problem(415);
    for encoding in ["gzip", "br", "deflate"] {
        root.send(&call.clone().header("content-encoding", encoding)).problem(415);
    }
    for fine in ["application/json", "Application/JSON; charset=UTF-8", "application/json;x=y"] {
        root.send(&call.clone().header("content-type", fine)).ok();
    }
    root.send(&call.header("content-encoding", "Identity")).ok();

    let length = format!("Content-Length: {}", right.to_string().len());
    let token = format!("Authorization: Bearer {}", root.token);
    let twice = |header: &str| {
        let headers = [token.as_str(), "Content-Type: application/json", &length, header];
        let mut raw = shared().raw();
        raw.head(&format!("POST {PATH} HTTP/1.1"), &headers).write(right.to_string()).answer()
    };
    twice("X-Other: 1").ok();
    for second in ["Content-Type: text/plain", "Content-Type: application/json"] {
        twice(second).problem(415);
    }
    twice("Content-Encoding: identity\r\nContent-Encoding: gzip").problem(415);
}
