//! Every call of the two families: what it answers, and in which forms it can be asked.

mod around;
mod client_held;
mod forms;
mod stored_keys;
