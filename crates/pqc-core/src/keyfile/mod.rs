//! Keys as other programs write them.

pub mod jwk;

pub use jwk::Jwk;
