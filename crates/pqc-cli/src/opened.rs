//! An open store with the service on it.

use std::sync::Arc;

use anyhow::Context;
use pqc_core::Secret;
use pqc_service::{Service, Settings, SqliteStore, Store, System};

use crate::config::StoreConfig;
use crate::data_dir::DataDir;

/// An open store with the service on it; [`Self::close`] ends it well.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The service.
    pub(crate) service: Arc<Service>,
    store: Arc<SqliteStore>,
}

impl Opened {
    /// Opens the store in the folder, which is made if there is none.
    ///
    /// # Errors
    /// The master key is not the store's; the store cannot be opened.
    pub(crate) async fn open(
        data_dir: &DataDir,
        master_key: Secret<32>,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        Self::unlock(Self::open_store(data_dir).await?, master_key, settings).await
    }

    /// Opens a store that a server has begun, beside that server or without it. Never makes one.
    ///
    /// # Errors
    /// As [`Self::open`]; there is no store, or no account in it.
    pub(crate) async fn open_existing(config: &StoreConfig) -> anyhow::Result<(Self, DataDir)> {
        let data_dir = DataDir::of_existing_store(&config.data_dir)?;
        let master_key = data_dir.master_key(config.master_key_file.as_deref())?;
        let store = Self::open_store(&data_dir).await?;
        // A store without accounts would take any key as its first.
        match store.accounts().await {
            Ok(accounts) if !accounts.is_empty() => {}
            accounts => {
                store.close().await;
                accounts?;
                return Err(data_dir.no_store());
            }
        }
        Ok((Self::unlock(store, master_key, config.settings).await?, data_dir))
    }

    /// Ends the store: everything is written by then.
    pub(crate) async fn close(self) {
        drop(self.service);
        self.store.close().await;
    }

    async fn open_store(data_dir: &DataDir) -> anyhow::Result<Arc<SqliteStore>> {
        let path = data_dir.database();
        let store = SqliteStore::open(&path, Arc::new(System))
            .await
            .with_context(|| format!("cannot open the store {}", path.display()))?;
        Ok(Arc::new(store))
    }

    async fn unlock(
        store: Arc<SqliteStore>,
        master_key: Secret<32>,
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
