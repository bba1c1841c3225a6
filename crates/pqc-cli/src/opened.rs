//! An open store with the service on it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use pqc_service::{MasterSecret, PostgresStore, Service, Settings, SqliteStore, Store, System};

use crate::args::PostgresUrl;
use crate::config::StoreConfig;
use crate::data_dir::DataDir;
use crate::output;

/// An open store with the service on it; [`Self::close`] ends it well.
pub(crate) struct Opened {
    /// The service.
    pub(crate) service: Arc<Service>,
    store: Arc<dyn Store>,
}

impl Opened {
    /// Opens the embedded store in the folder, which is made if there is none.
    ///
    /// # Errors
    /// The master key is not the store's; the store cannot be opened.
    pub(crate) async fn open_embedded(
        data_dir: &DataDir,
        master_key: MasterSecret,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        // The token was written after the tables were: without them, something was lost.
        let store = if data_dir.root_token_file().exists() {
            begun(data_dir).await?
        } else {
            let path = data_dir.database();
            let store = SqliteStore::open(&path, Arc::new(System)).await;
            Arc::new(store.with_context(|| cannot_open(&path))?)
        };
        Self::unlock(store, master_key, settings).await
    }

    /// Opens the store in the database, which is made if there is none; but first, if it has no
    /// account, asks `may_begin`.
    ///
    /// # Errors
    /// As [`Self::open_embedded`]; those of `may_begin`: then nothing was changed.
    pub(crate) async fn open_postgres(
        url: &PostgresUrl,
        master_key: MasterSecret,
        settings: Settings,
        may_begin: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let found = PostgresStore::open_existing(url.expose()).await.context(POSTGRES)?;
        let store = match found {
            Some(store) if !store.accounts().await?.is_empty() => store,
            found => {
                may_begin()?;
                match found {
                    Some(store) => store,
                    None => PostgresStore::open(url.expose()).await.context(POSTGRES)?,
                }
            }
        };
        Self::unlock(Arc::new(store), master_key, settings).await
    }

    /// Opens a store that a server has begun, beside that server or without it. Never makes one.
    ///
    /// # Errors
    /// As [`Self::open_embedded`]; there is no store, or no account in it.
    pub(crate) async fn open_existing(config: &StoreConfig) -> anyhow::Result<(Self, DataDir)> {
        let data_dir = DataDir::at(&config.data_dir);
        let (store, master_key): (Arc<dyn Store>, _) = match &config.postgres {
            Some(url) => {
                let master_key = data_dir.master_secret(&config.master)?;
                let store = PostgresStore::open_existing(url.expose()).await.context(POSTGRES)?;
                (Arc::new(store.context(NO_STORE)?), master_key)
            }
            None if !data_dir.has_store() => return Err(data_dir.no_store()),
            None => {
                let master_key = data_dir.master_secret(&config.master)?;
                (begun(&data_dir).await?, master_key)
            }
        };
        // A store without accounts would take any key as its first.
        match store.accounts().await {
            Ok(accounts) if !accounts.is_empty() => {}
            accounts => {
                store.close().await;
                accounts?;
                return Err(match &config.postgres {
                    Some(_) => anyhow::anyhow!(NO_STORE),
                    None => data_dir.no_store(),
                });
            }
        }
        let opened = Self::unlock(store, master_key, config.settings).await;
        let opened = opened.map_err(|error| config.master.explain(error, &data_dir.own_key()))?;
        Ok((opened, data_dir))
    }

    /// Ends the store: everything is written by then, and what was done is signed.
    pub(crate) async fn close(self) {
        if let Err(error) = self.service.checkpoint().await {
            output::note(format_args!("the audit log could not be signed: {error}"));
        }
        drop(self.service);
        self.store.close().await;
    }

    async fn unlock(
        store: Arc<dyn Store>,
        master_key: MasterSecret,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        match Service::open(store.clone(), Arc::new(System), master_key, settings).await {
            Ok(service) => Ok(Self { service: Arc::new(service), store }),
            Err(error) => {
                store.close().await;
                Err(error.into())
            }
        }
    }
}

/// The embedded store that was begun in the folder.
async fn begun(data_dir: &DataDir) -> anyhow::Result<Arc<dyn Store>> {
    let path = data_dir.database();
    let store = SqliteStore::open_existing(&path, Arc::new(System)).await;
    let store = store.with_context(|| cannot_open(&path))?;
    Ok(Arc::new(store.with_context(|| data_dir.lost_tables())?))
}

fn cannot_open(store: &Path) -> String {
    format!("cannot open the store {}", store.display())
}

/// Its URL may hold a password, so it is not repeated.
const POSTGRES: &str = "cannot open the store on PostgreSQL (--store)";
const NO_STORE: &str =
    "there is no store in the database: run `pqc serve` on it first, or name its URL with --store";
