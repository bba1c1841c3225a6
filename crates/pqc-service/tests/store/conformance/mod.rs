//! What every store must do.

mod accounts;
mod destruction;
mod ends;
mod isolation;
mod keys;
mod master_keys;
mod replays;
mod server;
mod sessions;
mod spending;
mod tokens;
mod usage;
