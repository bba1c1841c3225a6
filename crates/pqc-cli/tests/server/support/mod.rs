//! What the topics share: processes, calls, verbs, forged values.

mod account;
mod answer;
mod browser;
mod call;
mod capture;
mod fault;
mod forge;
mod large_store;
mod load;
mod person;
mod process;
mod raw;
mod scrape;
mod verb;

pub(crate) use account::{Account, KeyPair};
pub(crate) use answer::Answer;
pub(crate) use browser::{Browser, Theme, axe};
pub(crate) use call::{Call, Client, block_on, spawn, together};
pub(crate) use capture::Capture;
pub(crate) use fault::Faults;
pub(crate) use forge::{Issuer, unreduced};
pub(crate) use large_store::{LARGE, in_use_for_a_year, large};
pub(crate) use load::{Ledger, Load};
pub(crate) use person::{Person, html, is_signed_in};
pub(crate) use process::{Folder, KilledOnDrop, Server, shared};
pub(crate) use raw::Raw;
pub(crate) use scrape::Scrape;
pub(crate) use verb::{Run, Started, pqc, run, without_settings};

use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything takes on a slow machine: what waits this long waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `holds`; fails with `what` if it never does.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The names of an object's members, sorted.
pub(crate) fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A text member.
pub(crate) fn text(object: &Value, name: &str) -> String {
    let value = object.get(name).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("no text {name} in {:?}", names(object))).to_owned()
}

/// The bytes of lower-case hex.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex, hex.to_lowercase(), "hex goes out in lower case");
    hex::decode(hex).unwrap()
}

/// The bytes of a member in hex.
pub(crate) fn bytes_of(object: &Value, name: &str) -> Vec<u8> {
    bytes(&text(object, name))
}

/// The hex with one bit of the byte at `index` flipped.
pub(crate) fn flipped(hex: &str, index: usize) -> String {
    let mut bytes = bytes(hex);
    bytes[index] ^= 1;
    hex::encode(bytes)
}

/// The object with a member set to `value`, or without it when that is null.
pub(crate) fn with(object: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut changed = object.clone();
    let members = changed.as_object_mut().unwrap();
    match value.into() {
        Value::Null => drop(members.remove(name)),
        value => drop(members.insert(name.to_owned(), value)),
    }
    changed
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}
