//! The first account of a store, and the file in the data folder that its root token is written to.
//!
//! The token is on disk before its account is, under another name ([`DataDir::new_root_token_file`]):
//! a start that is killed between the two leaves what the next one settles. So a file of the right
//! name is never put over.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use pqc_service::{By, Custody, Error, Service};

use crate::args::DEFAULT_ACCOUNT;
use crate::data_dir::{DataDir, FolderInUse};
use crate::output;

/// Makes the first account in a store that has none. Nobody else may be at it in this folder.
///
/// # Errors
/// Those of the store; the token cannot be written; the folder has one of another store.
pub(crate) async fn begin(service: &Service, data_dir: &DataDir) -> anyhow::Result<()> {
    settle(service, data_dir).await?;
    if !service.accounts().await?.is_empty() {
        return Ok(());
    }
    check(data_dir)?;
    let pending = service.prepare_account(DEFAULT_ACCOUNT, Custody::Server).await?;
    data_dir.write_new_root_token(pending.root_token())?;
    let token = match service.create_account(&By::SERVER, pending).await {
        // Another of many servers was faster.
        Err(Error::AccountExists { .. }) => return data_dir.remove_new_root_token(),
        created => created?,
    };
    data_dir.keep_new_root_token()?;
    output::note(format_args!(
        "the root token of account {DEFAULT_ACCOUNT}, shown this once (and written to {}):\n{}",
        data_dir.root_token_file().display(),
        *token.expose_text()
    ));
    Ok(())
}

/// As [`begin`], where other servers may do the same, also in the same folder.
///
/// # Errors
/// As there.
pub(crate) async fn begin_as_one_of_many(service: &Service, folder: &Path) -> anyhow::Result<()> {
    let is_settled = !DataDir::at(folder).new_root_token_file().exists();
    if is_settled && !service.accounts().await?.is_empty() {
        return Ok(());
    }
    let data_dir = DataDir::create(folder)?;
    let start = Instant::now();
    let _lock = loop {
        match data_dir.lock() {
            // One that started with this one is at it, in the same folder.
            Err(error) if error.is::<FolderInUse>() && start.elapsed() < TAKES => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            locked => break locked?,
        }
    };
    begin(service, &data_dir).await
}

/// That the folder can take the first root token of a store on PostgreSQL.
///
/// # Errors
/// It cannot be made; it is an embedded store's, or has a token.
pub(crate) fn check_folder_of_many(folder: &Path) -> anyhow::Result<()> {
    let data_dir = DataDir::create(folder)?;
    if data_dir.has_store() {
        bail!(
            "{} is an embedded store's: the root token of the store on PostgreSQL needs another \
             folder (--data-dir)",
            data_dir.database().display()
        );
    }
    check(&data_dir)
}

fn check(data_dir: &DataDir) -> anyhow::Result<()> {
    let file = data_dir.root_token_file();
    if file.exists() {
        bail!(
            "{} is here, and the store has no account: it is the token of another store, or this \
             one was lost; put that back from a backup, or move the file away to begin a new store \
             (or name another folder with --data-dir)",
            file.display()
        );
    }
    Ok(())
}

/// What becomes of a token that a killed start left: its account was made, or not.
async fn settle(service: &Service, data_dir: &DataDir) -> anyhow::Result<()> {
    let Some(token) = data_dir.read_new_root_token()? else { return Ok(()) };
    match service.authenticate(&token).await {
        Ok(_) => data_dir.keep_new_root_token(),
        Err(Error::Unauthorized(_)) => data_dir.remove_new_root_token(),
        Err(error) => Err(error.into()),
    }
}

/// Far longer than the making of an account.
const TAKES: Duration = Duration::from_secs(5);
