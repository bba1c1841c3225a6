//! Which of this program's migrations a database has had.

use std::borrow::Cow;
use std::cmp::Ordering;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::sql::Columns;
use crate::error::Error;

/// Migrations by their names and texts, numbered from 1. The library's macro would make the same of their
/// files, but builds both databases' drivers twice for it.
pub(super) fn migrations<const N: usize>(texts: [(&'static str, &'static str); N]) -> Migrator {
    let numbered = (1..).zip(texts).map(|(version, (name, text))| {
        let (kind, text) = (MigrationType::Simple, SqlStr::from_static(text));
        Migration::new(version, Cow::Borrowed(name), kind, text, false)
    });
    Migrator::with_migrations(numbered.collect())
}

/// A schema of this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// Older than this program's, or none at all (0).
    Older {
        /// The last migration that was applied.
        applied: i64,
    },
    Current,
}

/// No schema at all.
pub(super) const NOTHING: Schema = Schema::Older { applied: 0 };

/// Compares the rows of `SELECT version, checksum, success` from the table of the migrations, in
/// their order, with those that this program knows. `success` is a number.
///
/// # Errors
/// [`Error::NewerSchema`]; [`Error::Corrupt`]: they are not those of this program.
pub(super) fn compare(applied: &[impl Columns], known: &Migrator) -> Result<Schema, Error> {
    let newest_known = known.iter().map(|migration| migration.version).max().unwrap_or_default();
    let (mut newest, mut steps) = (0, 0);
    for row in applied {
        let foreign = |_| FOREIGN;
        let version = row.integer("version").map_err(foreign)?.ok_or(FOREIGN)?;
        let checksum = row.bytes("checksum").map_err(foreign)?.ok_or(FOREIGN)?;
        let is_it = |ours: &Migration| ours.version == version && *ours.checksum == *checksum;
        let is_done = row.integer("success").map_err(foreign)? == Some(1);
        if !is_done || version <= newest_known && !known.iter().any(is_it) {
            return Err(FOREIGN);
        }
        newest = newest.max(version);
        steps += i64::from(version <= newest_known);
    }
    // They are numbered from 1, and their table is made with its first row.
    if newest == 0 || steps != newest.min(newest_known) {
        return Err(FOREIGN);
    }
    match newest.cmp(&newest_known) {
        Ordering::Greater => Err(Error::NewerSchema { found: newest, known: newest_known }),
        Ordering::Equal => Ok(Schema::Current),
        Ordering::Less => Ok(Schema::Older { applied: newest }),
    }
}

/// The database's schema is not one that this program made.
pub(super) const FOREIGN: Error = Error::Corrupt {
    what: "its schema is not one that this program made: put it back from a backup",
};
