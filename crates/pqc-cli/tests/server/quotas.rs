//! Quotas as callers and operators meet them, and lists that come in pages.

use serde_json::json;

use crate::support::{Account, Call, Folder, names, shared, text};

#[test]
fn a_full_account_is_told_so_and_has_spent_its_attempt() {
    let folder = Folder::new();
    let server = folder.serve_with("--max-keys 2 --max-live-tokens 3");
    let root = server.root();
    let single = root.mint_counted(9);
    let generate = Call::get("/api/kem/generate_keys");
    single.send(&generate).ok();
    single.send(&generate).ok();
    let problem = single.send(&generate).problem(403);
    assert_eq!(problem["detail"], "The account's key quota is full.");
    assert_eq!(problem["type"], "urn:pqc:problem:quota-full");
    assert_eq!(single.attempts_left(), 6);
    let text = json!({"unencrypted": "x"});
    let problem = single.post("/api/aes/encrypt_text", &text).problem(403);
    assert_eq!(problem["detail"], "The account's key quota is full.");
    // What the client holds needs no room; nor has another account less of it.
    let held = Call::post("/api/kem/generate_keys?custody=client", &json!({"custody": "client"}));
    single.send(&held).ok();
    server.account().root.send(&generate).ok();

    let others: Vec<_> = (0..2).map(|_| root.mint_counted(1)).collect();
    let mint = Call::empty_post("/api/token/new");
    let problem = root.send(&mint).problem(403);
    assert_eq!(problem["detail"], "The account's token quota is full.");
    // The operator's own minting goes by the same rule, as it is told.
    let temp = |options: &str| server.verb(&format!("token temp{options}"));
    temp(" --max-live-tokens 3").refused(1, "the account's token quota is full: it has 3");
    temp(" --max-live-tokens 0").refused(2, "0 is not in 1..");
    temp("").line();
    // Tokens that end make room.
    for ended in others.iter().chain([&single]) {
        let id = crate::support::text(&ended.token_self(), "id");
        server.verb(&format!("token revoke {id}")).ended(0);
    }
    crate::support::wait_until("room for a token", || root.send(&mint).status == 200);
}

#[test]
fn a_list_comes_whole_or_in_pages() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    for n in 0..1203 {
        root.mint(&json!({"label": format!("token {n}")}));
    }
    let list = |options: &str| server.verb(&format!("token list --account {name}{options}"));
    let whole = list(" --json").json();
    let tokens = whole["tokens"].as_array().unwrap();
    assert_eq!((names(&whole), tokens.len()), (vec!["account", "tokens"], 1204));
    assert_eq!(tokens[0]["kind"], "root");
    for n in 0..1203 {
        assert!(tokens.iter().any(|token| token["label"] == format!("token {n}")), "{n}");
    }
    // Page after page is the whole.
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let page = list(&format!(" --json --limit 500{after}")).json();
        let page = page["tokens"].as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        after = format!(" --after {}", text(last, "id"));
        assert!(page.len() == 500 || pages.len() == 1000);
        pages.extend(page);
    }
    assert_eq!(&pages, tokens);

    let plain = list("").ended(0).stdout;
    assert_eq!(plain.lines().count(), 1205);
    let column = plain.lines().next().unwrap().find("KIND").unwrap();
    for line in plain.lines().skip(2) {
        assert_eq!(line.find("temporary"), Some(column), "{line}");
    }
    assert_eq!(list(" --limit 7").ended(0).stdout.lines().count(), 8);
    // An empty page is a list all the same.
    let nothing = list(" --json --limit 0").json();
    assert_eq!(nothing, json!({"account": name, "tokens": []}));
    let last = text(&tokens[1203], "id");
    assert_eq!(list(&format!(" --json --after {last}")).json(), nothing);
    assert_eq!(list(&format!(" --after {last}")).ended(0).stdout.lines().count(), 1);
    list(" --after 00").refused(2, "00");
}
