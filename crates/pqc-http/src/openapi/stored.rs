//! Family A: temporary tokens, and operations with the keys that the server stores.

use http::StatusCode;
use pqc_core::token::Operation;
use pqc_core::{KemAlgorithm, SignatureAlgorithm};
use serde_json::json;
use utoipa::openapi::path::HttpMethod::{self, Get, Post};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::field::{Field, Form, always, input, optional, output, sometimes, text, time};
use super::row::{Access, Row};
use super::{STORED, example, values};

pub(super) fn rows() -> Vec<Row> {
    vec![
        new_token(),
        new_token_by_get(),
        generate_keys(),
        generate_keys_by_get(),
        encapsulate_key(),
        decapsulate_key(),
        decapsulate_key_by_get(),
        encrypt_text(),
        decrypt_text(),
        sign(),
        verify(),
    ]
}

fn row(method: HttpMethod, path: &'static str, id: &'static str) -> Row {
    Row::new(method, path, id, STORED, Access::Token)
}

fn new_token() -> Row {
    let row = row(Post, "/api/token/new", "new_token").says(
        "Mint a temporary token",
        "For root tokens. The token is of the same account; without `operations` and `key_id` it \
         may do everything but mint.",
    );
    answers_token(row.may_take(&token_terms()))
        .example(
            "narrow",
            "200: three decapsulations or decryptions within a minute",
            example("/new_token/request"),
        )
        .example("default", "200: one call within 15 minutes", json!({}))
}

fn new_token_by_get() -> Row {
    let row = row(Get, "/api/token/new", "new_token_by_get").says(
        "Mint a temporary token, for clients that can't POST",
        "As POST, with the fields in the query.",
    );
    answers_token(row.deprecated().asks(&token_terms()).reads_a_body())
}

fn token_terms() -> [Field; 5] {
    let operations = Form::AnyOf(Operation::ALL.map(Operation::name).to_vec());
    [
        optional(
            "expiry_time",
            Form::Count { min: 1, max: Some(86_400) },
            "Its lifetime in seconds. The operator may set a lower maximum.",
        )
        .default(900)
        .example(60),
        optional(
            "expire_after_attempts",
            Form::Count { min: 1, max: Some(1_000_000) },
            "How many calls it serves.",
        )
        .default(1)
        .example(3),
        optional(
            "operations",
            operations,
            "The operations it is narrowed to (`v1`: all with client-held keys); all, if left out.",
        )
        .example(json!(["kem.decapsulate", "aes.decrypt"])),
        optional(
            "key_id",
            input(values::KEY_ID),
            "The key it is narrowed to, one that the account stores; any, if left out.",
        ),
        optional(
            "label",
            Form::Text { min: Some(1), max: Some(100), pattern: Some(LABEL) },
            "What you call it: no token, and no character that rules the display.",
        )
        .example("mail to Ada"),
    ]
}

fn answers_token(row: Row) -> Row {
    let token = Form::Text { min: None, max: None, pattern: Some("^pqc_t_[A-Za-z0-9_-]{43}$") };
    let fields = [
        always("new_token", token, "The token. Secret; told here and nowhere else."),
        always("expires_at", time(), "The first second at which it is over, since 1970."),
        always("attempts", Form::Count { min: 1, max: None }, "How many calls it serves."),
    ];
    row.repeatable()
        .answers(&fields, Some(example("/new_token/answer")))
        .fails(&[StatusCode::NOT_FOUND])
}

fn generate_keys() -> Row {
    let row = row(Post, "/api/kem/generate_keys", "generate_keys").says(
        "Make a KEM key pair",
        "The secret key stays on the server, unless the account's custody or this call's is \
         `client`: then it is answered, and not stored.",
    );
    answers_pair(row.may_take(&pair_terms()))
        .example(
            "client",
            "200: the client keeps the secret key",
            example("/generate_keys/request"),
        )
        .example("default", "200: ML-KEM-768, stored", json!({}))
}

fn generate_keys_by_get() -> Row {
    let row = row(Get, "/api/kem/generate_keys", "generate_keys_by_get").says(
        "Make a KEM key pair, for clients that can't POST",
        "As POST, with the fields in the query.",
    );
    answers_pair(row.deprecated().asks(&pair_terms()).reads_a_body())
}

fn pair_terms() -> [Field; 2] {
    [
        optional("algorithm", kems(), "The KEM.").default("ML-KEM-768").example("ML-KEM-768"),
        optional(
            "custody",
            Form::OneOf(vec!["server", "client"]),
            "Who keeps the secret key; as the account is set, if left out.",
        )
        .example("server"),
    ]
}

fn answers_pair(row: Row) -> Row {
    let fields = [
        always("pk", output(values::ENCAPSULATION_KEY), "The public key."),
        always(
            "verification_key",
            output(values::VERIFYING_KEY),
            "The issuer's key, as in `/.well-known/jwks.json`: pin it.",
        ),
        always(
            "verification_signature",
            output(values::ATTESTATION),
            "The issuer's word that this account has this key.",
        ),
        always("signature", output(values::ATTESTATION), "The same, for older clients."),
        always("algorithm", kems(), "The KEM."),
        always("key_id", output(values::KEY_ID), "The key's id."),
        always("account", output(values::ACCOUNT_ID), "The account whose key it is."),
        sometimes(
            "sk",
            output(values::DECAPSULATION_KEY),
            "The secret key, if the client keeps it.",
        ),
    ];
    row.repeatable().answers(&fields, Some(example("/generate_keys/answer")))
}

fn encapsulate_key() -> Row {
    let fields = [
        always("pk", input(values::ENCAPSULATION_KEY), "The receiver's public key."),
        always(
            "signature",
            input(values::ATTESTATION),
            "The issuer's word for it. `verification_signature` is a name for this field too.",
        ),
        always(
            "verif_key",
            input(values::VERIFYING_KEY),
            "The issuer's key; `verification_key` is a name for this field too.",
        ),
        optional("account", input(values::ACCOUNT_ID), "Whose key it must be."),
        optional("algorithm", kems(), "Must agree with the length of `pk`."),
    ];
    let answer = [
        always("cipher", output(values::CIPHERTEXT), "For the receiver."),
        always("shared_key", output(values::SHARED_KEY), "For the sender."),
        always("account", output(values::ACCOUNT_ID), "Whose key it is."),
    ];
    row(Post, "/api/kem/encapsulate_key", "encapsulate_key")
        .says(
            "Encapsulate to an attested key",
            "Only after the issuer's signature over the key verifies, and only for this server's \
             issuer or one that its operator trusts: any other is 403.",
        )
        .takes(&fields)
        .example(
            "attested",
            "200 where this issuer is trusted, else 403",
            example("/encapsulate_key/request"),
        )
        .answers(&answer, Some(example("/encapsulate_key/answer")))
}

fn decapsulate_key() -> Row {
    let algorithm = optional("algorithm", kems(), "Must agree with the length of `cipher`.");
    let held = [
        cipher(),
        always("sk", input(values::DECAPSULATION_KEY), "The secret key that the client keeps."),
        algorithm.clone(),
    ];
    let stored = [cipher(), pk(), algorithm];
    let row = row(Post, "/api/kem/decapsulate_key", "decapsulate_key")
        .says(
            "Decapsulate",
            "By the stored key of `pk`, or by `sk`. A wrong but well-formed ciphertext is no \
             error: its `shared_key` is another one (FIPS 203's implicit rejection).",
        )
        .takes_either(&[("By a stored key", &stored), ("By the client's key", &held)])
        .example("client_held", "200: by the client's key", example("/decapsulate_key/request"))
        .example(
            "stored",
            "404 where the account does not store this key, else 200",
            example("/stored_key/request"),
        );
    answers_shared_key(row)
}

fn decapsulate_key_by_get() -> Row {
    let fields = [
        cipher().example(example("/stored_key/request/cipher")),
        pk().example(example("/stored_key/request/pk")),
        optional("algorithm", kems(), "Must agree with the length of `cipher`."),
    ];
    let row = row(Get, "/api/kem/decapsulate_key", "decapsulate_key_by_get")
        .says(
            "Decapsulate, for clients that can't POST",
            "As POST by a stored key, with the fields in the query.",
        )
        .deprecated()
        .asks(&fields)
        .reads_a_body()
        .example_is(StatusCode::NOT_FOUND);
    answers_shared_key(row)
}

fn cipher() -> Field {
    always("cipher", input(values::CIPHERTEXT), "The ciphertext.")
}

fn pk() -> Field {
    always("pk", input(values::ENCAPSULATION_KEY), "The public key of the pair that is stored.")
}

fn answers_shared_key(row: Row) -> Row {
    let fields = [always("shared_key", output(values::SHARED_KEY), "The shared key.")];
    row.answers(&fields, Some(example("/decapsulate_key/answer"))).fails(&[StatusCode::NOT_FOUND])
}

fn encrypt_text() -> Row {
    let fields = [
        always(
            "unencrypted",
            text(),
            "The text: up to 16 MiB of UTF-8, unless the operator set another limit.",
        ),
        key(),
        aad(),
    ];
    row(Post, "/api/aes/encrypt_text", "encrypt_text")
        .says("Encrypt a text", "With AES-256, by `key` or by the account's own key.")
        .takes(&fields)
        .example("by_key", "200: by the caller's key", example("/encrypt_text/request"))
        .example(
            "stored",
            "200: by the account's own key",
            json!({"unencrypted": "", "aad": "page 1"}),
        )
        .answers_as(
            "application/json",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("Version, algorithm, key id, nonce, ciphertext and tag, in hex."))
                .pattern(Some("^[0-9a-f]*$"))
                .min_length(Some(SHORTEST_BOX * 2))
                .into(),
            Some(example("/encrypt_text/answer")),
        )
}

fn decrypt_text() -> Row {
    let sealed = Form::Text { min: Some(SHORTEST_BOX * 4 / 3), max: None, pattern: None };
    let fields = [
        always("ciphertext", sealed, "The encrypted text, in hex, base64 or base64url."),
        key(),
        aad(),
    ];
    row(Post, "/api/aes/decrypt_text", "decrypt_text")
        .says("Decrypt a text", "By `key`, or by the account's key that the encrypted text names.")
        .takes(&fields)
        .example("by_key", "200: by the caller's key", example("/decrypt_text/request"))
        .answers_as(
            "application/json",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("The text. Secret."))
                .into(),
            Some(example("/decrypt_text/answer")),
        )
}

fn key() -> Field {
    optional("key", input(values::AES_KEY), "The caller's key. The account's own, if left out.")
}

fn aad() -> Field {
    optional("aad", text(), "Associated data: not encrypted, and the same for both.").default("")
}

fn sign() -> Row {
    let fields = [
        always("data", text(), "What to sign."),
        encoding(),
        context(),
        optional(
            "key_id",
            input(values::KEY_ID),
            "Which of the account's signing keys. The one in force, if left out.",
        ),
        optional("algorithm", signatures(), "The algorithm of the key in force.")
            .default("ML-DSA-65"),
    ];
    let answer = [
        always("signature", output(values::SIGNATURE), "The signature."),
        always("pk", output(values::VERIFYING_KEY), "The public key that verifies it."),
        always("algorithm", signatures(), "The key's algorithm."),
        always("key_id", output(values::KEY_ID), "The key's id."),
    ];
    row(Post, "/api/signature/sign", "sign")
        .says("Sign", "Pure ML-DSA by the account's own key, which is made at its first use.")
        .takes(&fields)
        .example("text", "200: by the key in force", example("/sign/request"))
        .answers(&answer, Some(example("/sign/answer")))
        .fails(&[StatusCode::NOT_FOUND])
}

fn verify() -> Row {
    let fields = [
        always("data", text(), "What was signed."),
        encoding(),
        context(),
        always("pk", input(values::VERIFYING_KEY), "The signer's public key."),
        always("signature", input(values::SIGNATURE), "The signature."),
        optional("algorithm", signatures(), "Must agree with the length of `pk`."),
    ];
    let answer = [always("verified", Form::Flag, "Whether the signature is right.")];
    row(Post, "/api/signature/verify", "verify")
        .says(
            "Verify a signature",
            "A wrong signature is 200 and false; one of a wrong length is 422.",
        )
        .takes(&fields)
        .example("right", "200: a right signature", example("/verify/request"))
        .answers(&answer, Some(example("/verify/answer")))
}

/// How a message is written.
pub(super) fn encoding() -> Field {
    let names = Form::OneOf(vec!["utf-8", "utf8", "text", "hex", "base64"]);
    optional(
        "encoding",
        names,
        "How the message is written: as text, or as bytes in hex or base64.",
    )
    .default("utf-8")
}

/// The context of a signature.
pub(super) fn context() -> Field {
    let form = Form::Text { min: None, max: Some(255), pattern: None };
    optional("context", form, "The context of FIPS 204: at most 255 bytes of UTF-8.").default("")
}

pub(super) fn kems() -> Form {
    Form::OneOf(KemAlgorithm::ALL.map(KemAlgorithm::name).to_vec())
}

pub(super) fn signatures() -> Form {
    Form::OneOf(SignatureAlgorithm::ALL.map(SignatureAlgorithm::name).to_vec())
}

/// Head, nonce and tag.
const SHORTEST_BOX: usize = 1 + 1 + 16 + 24 + 16;
/// No control character, and none that turns the order of what stands around it.
const LABEL: &str = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$";
