//! What every store must do.

mod accounts;
mod isolation;
mod keys;
mod server;
mod spending;
mod tokens;
