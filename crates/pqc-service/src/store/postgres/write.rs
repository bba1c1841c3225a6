//! The connection that writes: how PostgreSQL begins, applies and commits.

use pqc_core::Timestamp;
use pqc_core::token::TokenHash;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::connect::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, connect, is_lost, within};
use super::{code, failure, spend};
use crate::error::Error;
use crate::store::audited::{self, AuditRow};
use crate::store::replay::{self, Begun, NewClaim};
use crate::store::writer::{Engine, Failure, Spent, Write};
use crate::store::{change, rows};

/// The one connection that writes.
pub(in crate::store) struct PostgresEngine {
    options: PgConnectOptions,
    /// `None` after it was lost.
    connection: Option<PgConnection>,
}

impl PostgresEngine {
    pub(super) fn new(options: PgConnectOptions, connection: PgConnection) -> Self {
        Self { options, connection: Some(connection) }
    }

    fn connection(&mut self) -> Result<&mut PgConnection, Failure> {
        self.connection.as_mut().ok_or_else(|| Failure::Unavailable("no connection".to_owned()))
    }

    /// Begins, and gives the time. An error leaves no connection.
    async fn begin_once(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.options).await?,
        };
        let begin = sqlx::raw_sql(BEGIN).fetch_all(&mut connection);
        let rows = within(ANSWER_TIMEOUT, begin).await?;
        self.connection = Some(connection);
        Ok(rows.first().and_then(|row| rows::clock(row).ok()))
    }
}

impl Engine for PostgresEngine {
    async fn begin(&mut self) -> Result<Timestamp, Failure> {
        let begun = match self.begin_once().await {
            // The database may be back since the connection was lost, and nothing is begun yet.
            Err(error) if is_lost(&error) => self.begin_once().await,
            begun => begun,
        };
        match begun {
            Ok(Some(now)) => Ok(now),
            Ok(None) => {
                self.rollback().await;
                Err(Failure::Corrupt("the clock"))
            }
            Err(error) => Err(failure(&error)),
        }
    }

    async fn write(
        &mut self,
        write: &Write,
        now: Timestamp,
    ) -> Result<Result<u64, Error>, Failure> {
        change::all_or_none(self.connection()?, write, now).await
    }

    async fn spend(
        &mut self,
        tokens: &[TokenHash],
        _now: Timestamp,
    ) -> Result<Vec<Result<Spent, Error>>, Failure> {
        spend::each(self.connection()?, tokens).await
    }

    async fn begin_claim(
        &mut self,
        claim: &NewClaim,
        now: Timestamp,
    ) -> Result<Result<Begun, Error>, Failure> {
        replay::begin(self.connection()?, claim, now).await
    }

    async fn record(&mut self, rows: &[AuditRow]) -> Result<(), Failure> {
        audited::insert(self.connection()?, rows).await
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        let commit = sqlx::raw_sql("COMMIT").execute(self.connection()?);
        let Err(error) = within(ANSWER_TIMEOUT, commit).await else { return Ok(()) };
        self.connection = None;
        // Only these say that it was refused: a shutdown can be told after the commit.
        let is_refused = |code: &String| {
            ["23", "25", "40"].iter().any(|class| code.starts_with(class)) && code != UNKNOWN
        };
        Err(match code(&error) {
            Some(code) if is_refused(&code) => failure(&error),
            _ => Failure::OutcomeUnknown(error.to_string()),
        })
    }

    async fn rollback(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut connection);
        // Where it fails, PostgreSQL undoes everything when the connection ends.
        if within(CONNECT_TIMEOUT, rollback).await.is_ok() {
            self.connection = Some(connection);
        }
    }

    async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = within(CONNECT_TIMEOUT, connection.close()).await;
        }
    }
}

// The options' own form shows the password.
impl std::fmt::Debug for PostgresEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresEngine").finish_non_exhaustive()
    }
}

const BEGIN: &str = "BEGIN READ WRITE; SELECT greatest FROM clock";
/// `statement_completion_unknown`.
const UNKNOWN: &str = "40003";
