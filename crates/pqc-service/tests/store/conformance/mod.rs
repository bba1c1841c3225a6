//! What every store must do.

mod accounts;
mod ends;
mod isolation;
mod keys;
mod server;
mod spending;
mod tokens;
