//! Family B: the same algorithms with keys that the client holds.

use serde_json::json;
use utoipa::openapi::path::HttpMethod::Post;

use super::field::{Field, Form, always, input, optional, output, text};
use super::row::{Access, Row};
use super::stored::{context, encoding, kems, signatures};
use super::{CLIENT_HELD, example, values};

pub(super) fn rows() -> Vec<Row> {
    vec![
        generate_kem_keys(),
        encapsulate(),
        decapsulate(),
        generate_signing_keys(),
        sign(),
        verify(),
    ]
}

fn row(path: &'static str, id: &'static str) -> Row {
    Row::new(Post, path, id, CLIENT_HELD, Access::Token)
}

fn generate_kem_keys() -> Row {
    let answer = [
        always("algorithm", kems(), "The KEM."),
        always("encapsulation_key", output(values::ENCAPSULATION_KEY), "The public key."),
        always("decapsulation_key", output(values::DECAPSULATION_KEY), "The secret key."),
    ];
    row("/api/v1/pqc/kem/generate-keys", "v1_generate_kem_keys")
        .says("Make a KEM key pair", "Both keys are answered; nothing is stored.")
        .may_take(&[optional("algorithm", kems(), "The KEM.").default("ML-KEM-768")])
        .example("ml_kem_512", "200: ML-KEM-512", example("/v1_kem_generate/request"))
        .example("default", "200: ML-KEM-768", json!({}))
        .repeatable()
        .answers(&answer, Some(example("/v1_kem_generate/answer")))
}

fn encapsulate() -> Row {
    let fields = [
        always(
            "encapsulation_key",
            input(values::ENCAPSULATION_KEY),
            "The receiver's public key, for whose origin you answer.",
        ),
        algorithm_of("Must agree with the length of `encapsulation_key`.", kems()),
    ];
    let answer = [
        always("ciphertext", output(values::CIPHERTEXT), "For the receiver."),
        always("shared_secret", output(values::SHARED_KEY), "For the sender."),
    ];
    row("/api/v1/pqc/kem/encapsulate", "v1_encapsulate")
        .says("Encapsulate to a key", "Nobody vouches for the key here.")
        .takes(&fields)
        .example("ml_kem_512", "200: ML-KEM-512", example("/v1_encapsulate/request"))
        .answers(&answer, Some(example("/v1_encapsulate/answer")))
}

fn decapsulate() -> Row {
    let fields = [
        always("decapsulation_key", input(values::DECAPSULATION_KEY), "The secret key."),
        always("ciphertext", input(values::CIPHERTEXT), "The ciphertext."),
        algorithm_of("Must agree with the length of `ciphertext`.", kems()),
    ];
    let answer = [always("shared_secret", output(values::SHARED_KEY), "The shared secret.")];
    row("/api/v1/pqc/kem/decapsulate", "v1_decapsulate")
        .says(
            "Decapsulate",
            "A wrong but well-formed ciphertext is no error: its secret is another one.",
        )
        .takes(&fields)
        .example("ml_kem_512", "200: ML-KEM-512", example("/v1_decapsulate/request"))
        .answers(&answer, Some(example("/v1_decapsulate/answer")))
}

fn generate_signing_keys() -> Row {
    let answer = [
        always("algorithm", signatures(), "The algorithm."),
        always("public_key", output(values::VERIFYING_KEY), "The public key."),
        always("secret_key", output(values::SIGNING_KEY), "The secret key."),
    ];
    row("/api/v1/pqc/sign/generate-keys", "v1_generate_signing_keys")
        .says("Make a signing key pair", "Both keys are answered; nothing is stored.")
        .may_take(&[optional("algorithm", signatures(), "The algorithm.").default("ML-DSA-65")])
        .example("ml_dsa_44", "200: ML-DSA-44", example("/v1_sign_generate/request"))
        .example("default", "200: ML-DSA-65", json!({}))
        .repeatable()
        .answers(&answer, Some(example("/v1_sign_generate/answer")))
}

fn sign() -> Row {
    let fields = [
        always("secret_key", input(values::SIGNING_KEY), "The secret key."),
        always("message", text(), "What to sign."),
        encoding(),
        context(),
        algorithm_of(
            "The algorithm of a seed, ML-DSA-65 if left out; must agree with an expanded key.",
            signatures(),
        ),
    ];
    let answer = [
        always("signature", output(values::SIGNATURE), "The signature."),
        always("algorithm", signatures(), "The key's algorithm."),
        always("public_key", output(values::VERIFYING_KEY), "The public key that verifies it."),
    ];
    row("/api/v1/pqc/sign/sign", "v1_sign")
        .says("Sign", "Pure ML-DSA, hedged.")
        .takes(&fields)
        .example("bytes", "200: ML-DSA-44 over bytes in hex", example("/v1_sign/request"))
        .answers(&answer, Some(example("/v1_sign/answer")))
}

fn verify() -> Row {
    let fields = [
        always("public_key", input(values::VERIFYING_KEY), "The signer's public key."),
        always("message", text(), "What was signed."),
        encoding(),
        context(),
        always("signature", input(values::SIGNATURE), "The signature."),
        algorithm_of("Must agree with the length of `public_key`.", signatures()),
    ];
    let answer = [always("valid", Form::Flag, "Whether the signature is right.")];
    row("/api/v1/pqc/sign/verify", "v1_verify")
        .says(
            "Verify a signature",
            "A wrong signature is 200 and false; one of a wrong length is 422.",
        )
        .takes(&fields)
        .example("right", "200: a right signature", example("/v1_verify/request"))
        .answers(&answer, Some(example("/v1_verify/answer")))
}

fn algorithm_of(about: &'static str, names: Form) -> Field {
    optional("algorithm", names, about)
}
