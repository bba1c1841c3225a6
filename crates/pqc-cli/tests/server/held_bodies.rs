//! A body that its sender holds back: what the operator changes meanwhile counts.

use crate::support::{Account, Raw, shared};

/// A call of the account's root token whose body is not sent to its end.
fn held(account: &Account, path: &str) -> Raw {
    let mut raw = shared().raw();
    let authorization = format!("Authorization: Bearer {}", account.root.token);
    let headers = [authorization.as_str(), "Content-Type: application/json", "Content-Length: 20"];
    raw.head(&format!("POST {path} HTTP/1.1"), &headers).write(br#"{"custody""#);
    // The server has looked at the token once it has begun to wait for the rest.
    std::thread::sleep(std::time::Duration::from_millis(300));
    raw
}

const REST: &[u8] = br#":"client"}"#;

#[test]
fn a_call_held_over_a_root_reset_mints_nothing() {
    let account = shared().account();
    let mut call = held(&account, "/api/token/new");
    shared().verb(&format!("token root-reset --account {}", account.name));
    call.write(REST).answer().problem(401);
    // The twin: with nothing changed meanwhile, the same call is served.
    held(&shared().account(), "/api/token/new").write(REST).answer().ok();
}

#[test]
fn a_call_held_over_a_disabling_is_refused() {
    let account = shared().account();
    let mut call = held(&account, "/api/kem/generate_keys");
    shared().verb(&format!("account disable {}", account.name));
    call.write(REST).answer().problem(401);
}

#[test]
fn a_call_held_over_a_change_of_custody_lets_no_key_out() {
    let account = shared().account();
    let mut call = held(&account, "/api/kem/generate_keys");
    shared().verb(&format!("account set {} --custody server-only", account.name));
    call.write(REST).answer().problem(403);
    held(&shared().account(), "/api/kem/generate_keys").write(REST).answer().ok();
}
