//! The operator's verbs, beside a running server: what they print, and how they end.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    Account, Call, Folder, Issuer, bytes, names, now, pqc, run, shared, text, wait_until,
};

#[test]
fn account_new_prints_a_root_token_that_works_at_once() {
    let server = shared();
    let token = server.verb("account new verbs.new_1-a").line();
    let about = server.holder(&token).token_self();
    assert_eq!(about["kind"], "root");

    let made = server.verb("account new verbs.json --custody client --json").json();
    assert_eq!(names(&made), ["created_at", "custody", "disabled", "id", "name", "root_token"]);
    assert_eq!((&made["name"], &made["custody"]), (&json!("verbs.json"), &json!("client")));
    assert_eq!(made["disabled"], false);
    assert_eq!(bytes(&text(&made, "id")).len(), 16);
    let about = server.holder(&text(&made, "root_token")).token_self();
    assert_eq!(about["account"], made["id"]);
}

#[test]
fn account_new_refuses_a_taken_name_with_1_and_a_bad_one_with_2() {
    let server = shared();
    let Account { name, .. } = server.account();
    server.verb(&format!("account new {name}")).refused(1, "exists already");
    let long = "x".repeat(65);
    for bad in ["a/b", "é", &long] {
        server.verb(&format!("account new {bad}")).refused(2, "account name must be");
    }
    server.verb("account new x --custody mine").refused(2, "custody");
    server.verb("account new").refused(2, "NAME");
    server.verb(&format!("account new {}", "x".repeat(64))).ended(0);
}

#[test]
fn account_list_shows_accounts_and_no_secret() {
    let server = Folder::new().serve();
    let (one, two) = (server.account(), server.account_with_custody("server-only"));
    server.verb(&format!("account disable {}", two.name)).ended(0);
    let listed = server.verb("account list --json").json();
    assert_eq!(names(&listed), ["accounts"]);
    let accounts = listed["accounts"].as_array().unwrap();
    let shown: Vec<_> = accounts
        .iter()
        .map(|account| {
            assert_eq!(names(account), ["created_at", "custody", "disabled", "id", "name"]);
            (text(account, "name"), text(account, "custody"), account["disabled"] == true)
        })
        .collect();
    let expected = [
        ("default".to_owned(), "server".to_owned(), false),
        (one.name.clone(), "server".to_owned(), false),
        (two.name.clone(), "server-only".to_owned(), true),
    ];
    assert_eq!(shown, expected);
    let plain = server.verb("account list").ended(0).stdout;
    assert_eq!(plain.lines().count(), 4);
    for account in accounts {
        for name in ["name", "id", "custody"] {
            assert!(plain.contains(&text(account, name)), "{plain}");
        }
    }
    assert!(!plain.contains("pqc_r_"));
}

#[test]
fn account_set_disable_and_enable_count_from_the_next_call_on() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    assert!(root.generate().sk.is_none());
    let set = server.verb(&format!("account set {name} --custody client --json")).json();
    assert_eq!((&set["name"], &set["custody"]), (&json!(name), &json!("client")));
    assert!(root.generate().sk.is_some());
    let disabled = server.verb(&format!("account disable {name} --json")).json();
    assert_eq!(disabled["disabled"], true);
    root.get("/api/v1/token/self").problem(401);
    let enabled = server.verb(&format!("account enable {name}")).line();
    assert_eq!(enabled, format!("account {name}: enabled, custody client"));
    root.token_self();
    for verb in ["set nobody --custody client", "disable nobody", "enable nobody"] {
        server.verb(&format!("account {verb}")).refused(1, "no account is named");
    }
    server.verb(&format!("account set {name} --custody mine")).refused(2, "custody");
    server.verb(&format!("account set {name}")).refused(2, "--custody");
}

#[test]
fn token_temp_prints_the_token_alone() {
    let server = shared();
    let Account { name, id, root, .. } = server.account();
    let token = server.verb(&format!("token temp --account {name}")).line();
    assert!(token.starts_with("pqc_t_") && token.len() == 49, "{token}");
    let about = server.holder(&token).token_self();
    assert_eq!((&about["attempts"], &about["account"]), (&json!(1), &json!(id)));
    assert_eq!(about["expires_at"].as_u64().unwrap() - about["created_at"].as_u64().unwrap(), 900);

    let key_id = root.generate().key_id;
    let line = format!(
        "token temp --account {name} --expiry 2h --attempts 7 --label backup \
         --operations kem.decapsulate,kem.encapsulate --key-id {key_id} --json"
    );
    let minted = server.verb(&line).json();
    assert_eq!(names(&minted), ["attempts", "expires_at", "id", "token"]);
    let about = server.holder(&text(&minted, "token")).token_self();
    assert_eq!((&about["id"], &about["expires_at"]), (&minted["id"], &minted["expires_at"]));
    assert_eq!((&about["attempts"], &about["label"]), (&json!(7), &json!("backup")));
    assert_eq!(about["operations"], json!(["kem.encapsulate", "kem.decapsulate"]));
    assert_eq!(about["key_id"], key_id);
    assert_eq!(about["expires_at"].as_u64().unwrap() - about["created_at"].as_u64().unwrap(), 7200);
    assert!(about["created_at"].as_u64().unwrap() >= now() - 60);
}

#[test]
fn token_temp_has_the_bounds_of_the_api() {
    let server = shared();
    let Account { name, .. } = server.account();
    let temp = |options: &str| server.verb(&format!("token temp --account {name} {options}"));
    for right in ["--expiry 86400s", "--expiry 24h", "--expiry 1s", "--attempts 1000000"] {
        temp(right).line();
    }
    for (wrong, why) in [
        ("--expiry 86401s", "86400"),
        ("--expiry 0s", "1 to 86400"),
        ("--expiry soon", "soon"),
        ("--attempts 0", "1 to 1000000"),
        ("--attempts 1000001", "1 to 1000000"),
        ("--attempts many", "many"),
        ("--operations fly", "kem.generate"),
        ("--key-id 00", "00"),
    ] {
        temp(wrong).refused(2, why);
    }
    temp(&format!("--key-id {}", "00".repeat(32))).refused(1, "no such key");
    server.verb("token temp --account nobody").refused(1, "no account is named");
    temp("--expiry 48h --max-token-lifetime 172800").line();
}

#[test]
fn token_list_shows_what_is_left_and_no_value() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let used = root.mint(&json!({"expire_after_attempts": 2, "label": "used"}));
    used.send(&Call::get("/api/kem/generate_keys")).ok();
    let spent = root.mint_counted(1);
    spent.send(&Call::get("/api/kem/generate_keys")).ok();
    let revoked = root.mint_counted(1);
    let id = text(&revoked.token_self(), "id");
    let done = server.verb(&format!("token revoke {id} --account {name} --json")).json();
    assert_eq!(done, json!({"revoked": id}));

    let listed = server.verb(&format!("token list --account {name} --json")).json();
    assert_eq!((names(&listed), &listed["account"]), (vec!["account", "tokens"], &json!(name)));
    let tokens = listed["tokens"].as_array().unwrap();
    let shown: Vec<_> = tokens
        .iter()
        .map(|token| {
            let expected = "attempts attempts_left created_at expires_at id key_id kind label \
                            last_used_at operations state";
            assert_eq!(names(token), expected.split(' ').collect::<Vec<_>>());
            assert_eq!(token["expires_at"].is_null(), token["kind"] == "root");
            (text(token, "kind"), text(token, "state"), token["attempts_left"].clone())
        })
        .collect();
    let row = |kind: &str, state: &str, left: Value| (kind.to_owned(), state.to_owned(), left);
    let expected = [
        row("root", "active", json!(null)),
        row("temporary", "active", json!(1)),
        row("temporary", "spent", json!(0)),
        row("temporary", "revoked", json!(1)),
    ];
    assert_eq!(shown, expected);
    assert_eq!(tokens[1]["label"], "used");
    let about = used.token_self();
    for name in ["id", "created_at", "expires_at", "attempts", "label", "operations", "key_id"] {
        assert_eq!(tokens[1][name], about[name], "{name}");
    }
    assert!(tokens[1]["last_used_at"].is_u64() && tokens[3]["last_used_at"].is_null());

    let plain = server.verb(&format!("token list --account {name}")).ended(0).stdout;
    assert_eq!(plain.lines().count(), 5, "{plain}");
    for output in [plain, listed.to_string()] {
        assert!(!output.contains("pqc_"), "{output}");
        for token in [&root, &used, &spent, &revoked] {
            assert!(!output.contains(&token.token[6..]));
        }
    }
}

#[test]
fn token_revoke_refuses_what_is_not_there() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let other = server.account();
    let id = text(&root.mint_counted(1).token_self(), "id");
    let revoke = |id: &str, name: &str| server.verb(&format!("token revoke {id} --account {name}"));
    revoke(&id, &other.name).refused(1, "no such token");
    revoke(&id, "nobody").refused(1, "no account is named");
    revoke("00", &name).refused(2, "00");
    revoke(&id, &name).ended(0);
    revoke(&id, &name).refused(1, "no such token");
}

#[test]
fn token_root_reset_prints_the_new_token_alone() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let reset = server.verb(&format!("token root-reset --account {name} --json")).json();
    assert_eq!((names(&reset), &reset["account"]), (vec!["account", "root_token"], &json!(name)));
    root.get("/api/v1/token/self").problem(401);
    server.holder(&text(&reset, "root_token")).token_self();
    server.verb("token root-reset --account nobody").refused(1, "no account is named");
    // Another account's reset leaves the file of the first account alone.
    server.root().token_self();
}

#[test]
fn issuer_show_prints_the_key_to_pin() {
    let server = shared();
    let set = server.verb("issuer show --json").json();
    assert_eq!(server.anyone().get("/.well-known/jwks.json").json(), set);
    let plain = server.verb("issuer show").ended(0).stdout;
    assert!(plain.contains("ML-DSA-65") && plain.contains(&text(&set["keys"][0], "pub")));
}

#[test]
fn issuer_trust_takes_hex_a_jwk_or_a_jwks_from_a_file_or_stdin() {
    let server = shared();
    let other = Folder::new().serve();
    let jwks = other.anyone().get("/.well-known/jwks.json").json();
    let hex = other.root().generate().issuer;
    let file = server.folder.beside("issuer.jwks");
    fs::write(&file, jwks.to_string()).unwrap();
    let trusted = server.verb(&format!("issuer trust {} --json", file.display())).json();
    assert_eq!(names(&trusted["issuers"][0]), ["algorithm", "fingerprint", "state"]);
    assert_eq!(trusted["issuers"][0]["state"], "now trusted");
    for (again, input) in [("hex", hex), ("jwk", jwks["keys"][0].to_string())] {
        let run = server.folder.verb_reading("issuer trust - --json", input.as_bytes());
        let run = run.json();
        assert_eq!(run["issuers"][0]["state"], "trusted already", "{again}");
        assert_eq!(run["issuers"][0]["fingerprint"], trusted["issuers"][0]["fingerprint"]);
    }
    for wrong in ["", "hunter2", "{}", "00"] {
        let run = server.folder.verb_reading("issuer trust -", wrong.as_bytes());
        run.refused(2, "stdin");
    }
    server.verb("issuer trust /nowhere/at/all").refused(2, "/nowhere/at/all");
    drop(Issuer::new(pqc_core::SignatureAlgorithm::MlDsa87).trusted_by(server));
}

#[test]
fn issuer_distrust_counts_beside_a_running_server_and_spares_its_own() {
    let server = Folder::new().serve();
    let account = server.account();
    let other = Folder::new().serve();
    let foreign = other.root().generate();
    let listed = || server.verb("issuer list --json").json()["issuers"].clone();
    assert_eq!(listed(), json!([]));

    let jwks = other.anyone().get("/.well-known/jwks.json").json().to_string();
    server.folder.verb_reading("issuer trust -", jwks.as_bytes()).ended(0);
    let encapsulate = Call::post("/api/kem/encapsulate_key", &foreign.to_encapsulate());
    account.root.send(&encapsulate).ok();
    let fingerprint = text(&listed()[0], "fingerprint");
    assert!(server.verb("issuer list").ended(0).stdout.contains(&fingerprint));

    server.verb(&format!("issuer distrust {fingerprint}")).ended(0);
    wait_until("the server follows", || account.root.send(&encapsulate).status == 403);
    assert_eq!(listed(), json!([]));
    server.verb(&format!("issuer distrust {fingerprint}")).refused(1, "issuer list");

    let own = server.verb("issuer show --json").json().to_string();
    let told = server.folder.verb_reading("issuer trust -", own.as_bytes()).ended(0).stdout;
    assert!(told.contains("this server's own"), "{told}");
    assert_eq!(listed(), json!([]), "its own needs no trust, and none can be taken away");
}

#[test]
fn selftest_counts_its_checks() {
    let passed = run(pqc().args(["selftest", "--json"]), b"").json();
    assert_eq!(names(&passed), ["backend", "checks"]);
    assert!(passed["checks"].as_u64().unwrap() >= 30, "{passed}");
    let line = run(pqc().arg("selftest"), b"").line();
    let expected = format!(
        "self-test passed: {} checks of backend {}",
        passed["checks"],
        text(&passed, "backend")
    );
    assert_eq!(line, expected);
}

#[test]
fn a_verb_on_a_folder_without_a_store_says_what_to_do_and_makes_none() {
    let folder = Folder::new();
    for line in ["account list", "account new a", "token temp", "issuer show", "token root-reset"] {
        folder.verb(line).refused(2, "run `pqc serve` first");
        assert!(!folder.data_dir().exists(), "{line}");
    }
    fs::create_dir(folder.data_dir()).unwrap();
    folder.verb("account list").refused(2, "run `pqc serve` first");
    assert_eq!(fs::read_dir(folder.data_dir()).unwrap().count(), 0);
}

#[test]
fn the_verbs_work_without_a_server_too() {
    let folder = Folder::new();
    folder.serve().stop();
    let token = folder.verb("account new later").line();
    let temporary = folder.verb("token temp --account later").line();
    let server = folder.serve();
    assert_eq!(server.holder(&token).token_self()["kind"], "root");
    server.holder(&temporary).generate();
}

#[test]
fn bad_usage_is_2_and_help_is_0() {
    for line in ["", "fly", "account", "account fly", "token temp --colour red", "serve --listen x"]
    {
        let words = line.split(' ').filter(|word| !word.is_empty());
        let run = run(pqc().args(words), b"").ended(2);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{run:?}");
    }
    for line in ["--help", "--version", "serve --help", "account new --help", "token temp -h"] {
        let run = run(pqc().args(line.split(' ')), b"").ended(0);
        assert!(run.stderr.is_empty() && run.stdout.contains("pqc"), "{run:?}");
    }
}
