//! A typed client of the HTTP API: what a Rust program links to use a pqc server.
//!
//! [`Client`] is the door: made for a server and a token, it has one method a call. What comes and
//! goes are the types of [`pqc_core`], so that what was read once is not read again.
//!
//! ```no_run
//! use pqc_client::{Client, NewKeyPair, NewToken};
//! use pqc_core::token::{OperationSet, TokenValue};
//!
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! let root = TokenValue::parse(std::fs::read_to_string("root-token")?.trim_end())?;
//! let owner = Client::new("https://pqc.example", &root)?;
//! let operations = OperationSet::from_names(["kem.generate", "kem.decapsulate"])?;
//! let request = NewToken { attempts: Some(2), operations: Some(operations), ..NewToken::default() };
//! let receiver = owner.with_token(&owner.new_token(&request).await?.token)?;
//!
//! // Whose word counts is known beforehand, not from the server that gives it.
//! let pinned = [pinned_issuer()];
//! let pair = receiver.generate_key_pair(&NewKeyPair::default(), &pinned).await?;
//! let sent = owner.encapsulate(&pair.key).await?;
//! let received = receiver.decapsulate(&sent.ciphertext, pair.key.key()).await?;
//! assert!(received.ct_eq(&sent.shared_key));
//! # Ok(())
//! # }
//! # fn pinned_issuer() -> pqc_core::VerifyingKey { unimplemented!() }
//! ```
//!
//! # Whose word counts
//!
//! A key that a server hands out is only worth something if somebody who is trusted says whose it is.
//! [`Client::generate_key_pair`] takes the issuers that the caller has pinned and gives a
//! [`VerifiedKey`], which is the proof that one of them vouches for the key; encapsulation takes
//! nothing else. Who has pinned nothing has to say so: [`Client::published_issuers_unpinned`].
//!
//! # What is repeated
//!
//! At most three times, each later than the one before, at random and not before the server's
//! `Retry-After`, and all of it within the time of the call ([`ClientBuilder::timeout`]):
//!
//! | what happened | calls that cost nothing | calls with an `Idempotency-Key` | all others |
//! |---|---|---|---|
//! | no connection: nothing was sent | yes | yes | yes |
//! | 429 or 503 of the server itself, the attempt kept | yes | yes | yes |
//! | 503, the attempt spent, or its fate unknown | yes | yes | no |
//! | 502, 503 or 504 of something between | yes | yes | no |
//! | the connection broke before the whole answer | yes | yes | no |
//! | 409: the same call is under way | no | yes | no |
//! | TLS, an answer that is not understood, any other refusal | no | no | no |
//!
//! | call | is one of those |
//! |---|---|
//! | [`Client::token_self`], [`Client::published_issuers_unpinned`] | that cost nothing |
//! | [`Client::new_token`], [`Client::generate_key_pair`] | with an `Idempotency-Key`: the first answer comes again, and nothing is made or spent twice |
//! | [`Client::encapsulate`], [`Client::decapsulate`], [`Client::encrypt_text`], [`Client::decrypt_text`], [`Client::sign`], [`Client::verify`] | that spend an attempt |
//!
//! # Secrets
//!
//! Tokens, shared keys, secret keys and texts are in types that show nothing and wipe themselves; the
//! token goes out in a header that is marked as sensitive, all other secrets in JSON bodies, never in a
//! URL. No error holds one. What the libraries for HTTP, TLS and JSON copy on the way is theirs, and
//! not wiped. A token is not sent over plain HTTP but on this machine's loopback, unless
//! [`ClientBuilder::dangerously_allow_plain_http`] says so; redirects are not followed.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")
)]

mod aes;
mod builder;
mod call;
mod error;
mod kem;
mod refusal;
mod repeat;
mod signature;
mod token;
mod verified;
mod wire;

pub use builder::ClientBuilder;
pub use call::Client;
pub use error::Error;
pub use kem::{Custody, Encapsulated, KeyPair, NewKeyPair};
pub use refusal::{Attempt, FieldError, Refusal};
pub use signature::{Signed, SigningKeyChoice};
pub use token::{Minted, NewToken, TokenInfo};
pub use verified::VerifiedKey;
