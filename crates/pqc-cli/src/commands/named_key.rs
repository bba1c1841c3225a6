//! The key that a verb used, by its name.

use std::io::{self, Write};

use pqc_core::{EncapsulationKey, VerifyingKey};
use serde::Serialize;

use crate::output::Human;

/// Algorithm and id of a key pair.
#[derive(Debug, Serialize)]
pub(super) struct NamedKey {
    pub(super) algorithm: &'static str,
    pub(super) key_id: String,
}

impl From<&EncapsulationKey> for NamedKey {
    fn from(key: &EncapsulationKey) -> Self {
        Self { algorithm: key.algorithm().name(), key_id: key.key_id().to_string() }
    }
}

impl From<&VerifyingKey> for NamedKey {
    fn from(key: &VerifyingKey) -> Self {
        Self { algorithm: key.algorithm().name(), key_id: key.key_id().to_string() }
    }
}

impl Human for NamedKey {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}  {}", self.algorithm, self.key_id)
    }
}
