//! The paths of the server, and what each leads to: a router that can tell its paths.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;

use crate::app::App;

/// Paths, and what they lead to.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    router: Router<Arc<App>>,
    paths: Vec<&'static str>,
}

impl Routes {
    /// Leads one more path somewhere.
    pub(crate) fn route(mut self, path: &'static str, to: MethodRouter<Arc<App>>) -> Self {
        self.paths.push(path);
        Self { router: self.router.route(path, to), ..self }
    }

    /// With all those of `others`.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        self.paths.extend(others.paths);
        Self { router: self.router.merge(others.router), ..self }
    }

    pub(crate) fn paths(self) -> Vec<&'static str> {
        self.paths
    }

    pub(crate) fn into_router(self) -> Router<Arc<App>> {
        self.router
    }
}
