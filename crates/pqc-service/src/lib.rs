//! Accounts, tokens and sealed keys in a store: one method of [`Service`] for each use case.
//!
//! An adapter brings a token's text and parsed values; the service finds the token
//! ([`Service::authenticate`]), asks the core's policy ([`Caller::authorize`]), spends one
//! attempt durably ([`Service::spend`]) and then acts. The types keep that order: what acts takes
//! an [`Admitted`], and only spending makes one. Secret keys leave the core sealed; the store
//! never sees anything else.
#![forbid(unsafe_code)]

pub mod account;
pub mod aside;
pub mod audit;
pub mod authorize;
pub mod backup;
pub mod client_held;
pub mod error;
pub mod health;
pub mod host;
pub mod housekeeping;
mod json_lines;
mod key_cache;
pub mod keyring;
pub mod keys;
pub mod master_rotation;
pub mod masters;
mod quota;
pub mod replay;
pub mod rotation;
pub mod service;
pub mod sessions;
pub mod store;
pub mod tokens;
pub mod usage;

pub use account::Custody;
pub use audit::By;
pub use authorize::{Admitted, Authorized, Caller};
pub use error::Error;
pub use health::Health;
pub use host::{Host, System};
pub use key_cache::{CacheFigures, LookupFigures};
pub use master_rotation::{MasterKeyStatus, Rotation};
pub use masters::MasterSecret;
pub use service::{Service, Settings};
pub use sessions::{Session, SignedIn};
pub use store::postgres::PostgresStore;
pub use store::sqlite::SqliteStore;
pub use store::{
    AccountRecord, Distribution, KeyInfo, KeyRecord, Purged, SessionRecord, Store, StoreFigures,
    TokenRecord,
};
