//! The connection that writes: how SQLite begins, applies and commits.

use std::sync::Arc;

use pqc_core::token::TokenHash;
use pqc_core::{Timestamp, token};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::rows::{self, millis};
use super::{Clock, ERROR, FULL, change, code, failure, open, read};
use crate::error::Error;
use crate::store::writer::{Engine, Failure, Spent, Write};

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct SqliteEngine {
    options: SqliteConnectOptions,
    /// `None` after a failure that left its state in doubt.
    connection: Option<SqliteConnection>,
    clock: Arc<Clock>,
}

impl SqliteEngine {
    pub(super) fn new(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        clock: Arc<Clock>,
    ) -> Self {
        Self { options, connection: Some(connection), clock }
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.connection.as_mut().ok_or_else(|| Failure::Unavailable("no connection".to_owned()))
    }

    /// Gives up the connection; SQLite undoes what was not committed.
    async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }
}

impl Engine for SqliteEngine {
    async fn begin(&mut self) -> Result<Timestamp, Failure> {
        if self.connection.is_none() {
            let connection = open::connect(&self.options).await;
            self.connection = Some(connection.map_err(|error| failure(&error))?);
        }
        // Read after the lock is held: another process may have committed a later time.
        let time = millis(self.clock.now(Timestamp::from_millis(0)));
        let begun = sqlx::query(
            "BEGIN IMMEDIATE; \
             UPDATE clock SET greatest = max(greatest, ?) WHERE id = 1 RETURNING greatest",
        )
        .bind(time)
        .fetch_all(self.connection()?)
        .await;
        let now = match begun {
            Err(error) => Err(failure(&error)),
            Ok(rows) => rows
                .first()
                .and_then(|row| rows::clock(row).ok())
                .ok_or(Failure::Corrupt("the clock")),
        };
        match now {
            Ok(now) => Ok(self.clock.now(now)),
            Err(failure) => {
                self.rollback().await;
                Err(failure)
            }
        }
    }

    async fn write(
        &mut self,
        write: Write,
        now: Timestamp,
    ) -> Result<Result<bool, Error>, Failure> {
        let connection = self.connection()?;
        change::all_or_none(connection, write, now).await.map_err(|error| failure(&error))
    }

    async fn spend(
        &mut self,
        tokens: &[TokenHash],
        now: Timestamp,
    ) -> Result<Vec<Result<Spent, Error>>, Failure> {
        let connection = self.connection()?;
        let mut answers = Vec::with_capacity(tokens.len());
        for hash in tokens {
            answers.push(spend(connection, hash, now).await?);
        }
        Ok(answers)
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        let Err(error) = sqlx::query("COMMIT").execute(self.connection()?).await else {
            return Ok(());
        };
        let undone = match &mut self.connection {
            Some(connection) => sqlx::query("ROLLBACK").execute(connection).await.is_ok(),
            None => false,
        };
        if undone {
            return Err(failure(&error));
        }
        self.disconnect().await;
        // Where there is no room, the end of the transaction, which makes it valid, was not written.
        Err(match code(&error) {
            Some(FULL) => failure(&error),
            _ => Failure::OutcomeUnknown(error.to_string()),
        })
    }

    async fn rollback(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        match sqlx::query("ROLLBACK").execute(connection).await {
            Ok(_) => {}
            // No transaction is open: SQLite has undone it by itself, or none was begun.
            Err(error) if code(&error) == Some(ERROR) => {}
            Err(_) => self.disconnect().await,
        }
    }

    async fn close(mut self) {
        if let Some(connection) = &mut self.connection {
            let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
        }
        self.disconnect().await;
    }
}

async fn spend(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Result<Spent, Error>, Failure> {
    const SQL: &str = "UPDATE tokens SET attempts_left = attempts_left - 1, last_used_at = ?2 \
         WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2) \
         AND (attempts_left IS NULL OR attempts_left > 0) \
         AND EXISTS (SELECT 1 FROM accounts WHERE id = tokens.account AND disabled = 0) \
         RETURNING attempts_left";
    let row = sqlx::query(SQL)
        .bind(hash.as_bytes().as_slice())
        .bind(millis(now))
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| failure(&error))?;
    Ok(match row {
        Some(row) => rows::attempts_left(&row).map(Ok),
        None => refusal(connection, hash, now).await,
    })
}

/// Why no attempt was spent.
async fn refusal(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Spent, Error> {
    let Some((record, _)) = read::token_by_hash(connection, hash).await? else {
        return Ok(Err(token::Refusal::Unknown));
    };
    match token::spend(&record.state, now) {
        Err(refusal) => Ok(Err(refusal)),
        Ok(_) => Err(Error::Corrupt { what: "a token's row" }),
    }
}
