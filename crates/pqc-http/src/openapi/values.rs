//! The binary values of the wire as schemas. Every size is asked of the core.
//!
//! A value goes out in lower-case hex and comes in as hex or base64, so each has two schemas: one
//! of its name, and one with [`INPUT`] after it.

use pqc_core::kem::ParameterSet;
use pqc_core::{AccountId, Attestation, KemAlgorithm, SignatureAlgorithm};
use utoipa::openapi::schema::{
    AnyOfBuilder, ComponentsBuilder, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};

pub(super) const ACCOUNT_ID: &str = "AccountId";
pub(super) const AES_KEY: &str = "AesKey";
pub(super) const ATTESTATION: &str = "Attestation";
pub(super) const CIPHERTEXT: &str = "Ciphertext";
pub(super) const DECAPSULATION_KEY: &str = "DecapsulationKey";
pub(super) const ENCAPSULATION_KEY: &str = "EncapsulationKey";
pub(super) const KEY_ID: &str = "KeyId";
pub(super) const SHARED_KEY: &str = "SharedKey";
pub(super) const SIGNATURE: &str = "Signature";
pub(super) const SIGNING_KEY: &str = "SigningKey";
pub(super) const VERIFYING_KEY: &str = "VerifyingKey";

/// What stands after the name of a value that comes in.
pub(super) const INPUT: &str = "Input";

/// Adds both schemas of every value.
pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    all().into_iter().fold(components, |components, value| {
        components
            .schema(value.name, value.schema(&value.out, written))
            .schema(format!("{}{INPUT}", value.name), value.schema(&value.taken, read))
    })
}

/// A value: what it is called, and what it is of each size.
struct Value {
    name: &'static str,
    about: &'static str,
    /// The forms in which the server writes it.
    out: Vec<Form>,
    /// The forms in which it takes it.
    taken: Vec<Form>,
}

/// A form of a value: whose it is, and how long.
#[derive(Clone)]
struct Form {
    title: String,
    bytes: usize,
}

impl Value {
    fn schema(&self, forms: &[Form], write: fn(&Form) -> ObjectBuilder) -> Schema {
        if let [only] = forms {
            return write(only).description(Some(self.about)).build().into();
        }
        let any = AnyOfBuilder::new().description(Some(self.about));
        let any = forms.iter().fold(any, |any, form| {
            any.item(Object::from(write(form).title(Some(form.title.clone()))))
        });
        any.build().into()
    }
}

/// A value as it goes out.
fn written(form: &Form) -> ObjectBuilder {
    let digits = form.bytes * 2;
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("{} bytes, as {digits} digits of lower-case hex.", form.bytes)))
        .pattern(Some("^[0-9a-f]*$"))
        .min_length(Some(digits))
        .max_length(Some(digits))
}

/// A value as it comes in. `format` tells programs how many bytes it is.
fn read(form: &Form) -> ObjectBuilder {
    let Form { bytes, .. } = form;
    let digits = bytes * 2;
    let whole = bytes / 3 * 4;
    // Base64's last character holds no bit that is not of the value.
    let end = |any: &str| match bytes % 3 {
        0 => format!("{any}{{{whole}}}"),
        1 => format!("{any}{{{}}}[AQgw](?:==)?", whole + 1),
        _ => format!("{any}{{{}}}[AEIMQUYcgkosw048]=?", whole + 2),
    };
    let (plain, url) = (end("[A-Za-z0-9+/]"), end("[A-Za-z0-9_-]"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom(format!("bytes-{bytes}"))))
        .description(Some(format!(
            "{bytes} bytes: {digits} digits of hex, or base64, or base64url."
        )))
        .pattern(Some(format!("^(?:[0-9A-Fa-f]{{{digits}}}|{plain}|{url})$")))
}

fn all() -> Vec<Value> {
    let kem = |length: fn(KemAlgorithm) -> usize| -> Vec<Form> {
        KemAlgorithm::ALL.map(|kem| form(kem.name(), length(kem))).to_vec()
    };
    let signing = |length: fn(SignatureAlgorithm) -> usize| -> Vec<Form> {
        SignatureAlgorithm::ALL.map(|set| form(set.name(), length(set))).to_vec()
    };
    let ml_kem_seed = form("ML-KEM seed", KemAlgorithm::MlKem768.seed_bytes());
    let x_wing_seed = form("X-Wing seed", KemAlgorithm::XWing.seed_bytes());
    let decapsulation_seeds = vec![ml_kem_seed, x_wing_seed];
    let mut decapsulation_keys = decapsulation_seeds.clone();
    decapsulation_keys
        .extend(ParameterSet::ALL.map(|set| form(&expanded(set.name()), set.expanded_key_bytes())));
    let signing_seed = form("ML-DSA seed", SIGNING_SEED_BYTES);
    let mut signing_keys = vec![signing_seed.clone()];
    signing_keys.extend(
        SignatureAlgorithm::ALL.map(|set| form(&expanded(set.name()), set.expanded_key_bytes())),
    );
    let ids = vec![form("of a key pair", 32), form("of an AES key", 16)];
    vec![
        alike(ACCOUNT_ID, "An account's id.", vec![form("", AccountId::BYTES)]),
        alike(AES_KEY, "An AES-256 key. Secret.", vec![form("", 32)]),
        alike(
            ATTESTATION,
            "The issuer's word for an encapsulation key, by the issuer's algorithm: version, \
             account id, times and ML-DSA signature.",
            signing(Attestation::bytes),
        ),
        alike(
            CIPHERTEXT,
            "A KEM ciphertext: it tells its algorithm by its length.",
            kem(KemAlgorithm::ciphertext_bytes),
        ),
        Value {
            name: DECAPSULATION_KEY,
            about: "A KEM secret key: always written as its seed, read in either form. Secret.",
            out: decapsulation_seeds,
            taken: decapsulation_keys,
        },
        alike(
            ENCAPSULATION_KEY,
            "A KEM public key: it tells its algorithm by its length.",
            kem(KemAlgorithm::encapsulation_key_bytes),
        ),
        alike(KEY_ID, "A stored key's id.", ids),
        alike(SHARED_KEY, "The secret that both sides share. Secret.", vec![form("", 32)]),
        alike(
            SIGNATURE,
            "An ML-DSA signature: it tells its algorithm by its length.",
            signing(SignatureAlgorithm::signature_bytes),
        ),
        Value {
            name: SIGNING_KEY,
            about: "An ML-DSA secret key: always written as its seed, read in either form. Secret.",
            out: vec![signing_seed],
            taken: signing_keys,
        },
        alike(
            VERIFYING_KEY,
            "An ML-DSA public key: it tells its algorithm by its length.",
            signing(SignatureAlgorithm::verifying_key_bytes),
        ),
    ]
}

/// A value that comes in as it goes out.
fn alike(name: &'static str, about: &'static str, forms: Vec<Form>) -> Value {
    Value { name, about, out: forms.clone(), taken: forms }
}

fn form(title: &str, bytes: usize) -> Form {
    Form { title: title.to_owned(), bytes }
}

fn expanded(name: &str) -> String {
    format!("{name} expanded")
}

/// FIPS 204, Algorithm 1.
const SIGNING_SEED_BYTES: usize = 32;
