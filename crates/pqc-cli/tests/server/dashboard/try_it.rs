//! The tour of the API: its token, and its steps in a real browser.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, Browser, Folder, Person, Server};
use crate::support::{html, run, shared, text, wait_until};

#[test]
fn a_tour_has_a_token_of_its_own_and_only_its_page_may_call() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/try");
    let policy = |page: &Answer| page.header("content-security-policy").unwrap().to_owned();
    assert!(policy(&page.0).ends_with("; connect-src 'self'"), "{}", policy(&page.0));
    assert!(!policy(&person.open("/").0).contains("connect-src"));

    let answer = person.fill_in(&page, "/try/token", &[]);
    let minted = answer.ok();
    let token = shared().holder(&text(&minted, "token"));
    let told = token.token_self();
    assert_eq!((token.attempts_left(), &minted["attempts"]), (20, &json!(20)));
    assert_eq!((&told["label"], &told["expires_at"]), (&json!("Try it"), &minted["expires_at"]));
    token.generate();
    assert_eq!(token.attempts_left(), 19);
    assert!(!page.html().contains(&token.token));
}

#[test]
fn a_forged_form_or_no_session_mints_no_token() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/try");
    let forged = person.send("/try/token", &[("form_token", "forged")]);
    assert_eq!(forged.status, 400, "{}", html(&forged));
    let mut stranger = person.clone();
    stranger.cookies.clear();
    let refused = stranger.fill_in(&page, "/try/token", &[]);
    assert_eq!(refused.status, 401, "{}", html(&refused));
    let has_minted = |person: &mut Person| person.open("/tokens").html().contains(">Try it</span>");
    assert!(!has_minted(&mut person));
    // The twin: the same form, from whom it was given to.
    person.fill_in(&page, "/try/token", &[]).ok();
    assert!(has_minted(&mut person));
}

#[test]
fn a_person_takes_the_tour_and_what_is_copied_runs() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    browser.open(&server.url());
    browser.type_into("#token", &server.folder.root_token());
    browser.click("main button[type=submit]");
    browser.text("header .account");
    browser.open(&format!("{}/try", server.url()));
    browser.click("#run-all:enabled");
    wait_until("the end of the tour", || browser.text("#tour-said") == "All steps are done.");
    assert!(browser.text("#pretty-7").contains("\"verified\": true"));
    assert_eq!(browser.text("#outcome-4"), "The same 32 bytes: nobody sent them.");
    assert_eq!(browser.text("#pretty-5"), "\"Meet me at noon\"");
    browser.click("[data-alter]");
    wait_until("a wrong receipt", || browser.text("#outcome-7").starts_with("False:"));
    assert!(browser.text("#pretty-7").contains("\"verified\": false"));

    // Another text, which means something to a shell, to each language and to HTML.
    let nasty = "it's \"ü\" \\ <b>\u{2028}";
    browser.type_into("#text", &format!("{SELECT_ALL}{nasty}"));
    assert_eq!(browser.text("#needs-5"), "Run step 3 first.");
    for step in 3..=7 {
        browser.click(&format!("[data-run='{step}']:enabled"));
        wait_until("an answer", || {
            let done = browser.count(&format!("#step-{step}:not([aria-busy])"));
            done == 1 && !browser.text(&format!("#outcome-{step}")).is_empty()
        });
    }
    let decrypted: Value = serde_json::from_str(&copied(&browser, "#response-5")).unwrap();
    assert_eq!(decrypted, nasty);

    // What is copied is whole, and what is shown hides the token.
    let token = copied(&browser, "#response-0");
    assert!(!browser.text("main").contains(&token));
    for (language, program, file) in [
        ("curl", "bash", "call.sh"),
        ("python", "python3", "call.py"),
        ("javascript", "node", "call.mjs"),
    ] {
        browser.click(&format!("#step-5 [data-language={language}]"));
        let [receipt, verification] = ["#request-6", "#request-7"].map(|of| copied(&browser, of));
        let answer = answered(&server, program, file, &verification, &token);
        assert_eq!(answer, json!({"verified": true}), "{language}");
        // The text itself went through: another signature over it, by the same key.
        let answer = answered(&server, program, file, &receipt, &token);
        let fields = json!({
            "data": format!("I have received: {nasty}"),
            "pk": answer["pk"],
            "signature": answer["signature"],
        });
        let verified = server.root().post("/api/signature/verify", &fields).ok();
        assert_eq!(verified, json!({"verified": true}), "{language}");
    }
    assert_eq!(browser.console(), [] as [&str; 0]);
    let ours = format!("{}/", server.url());
    let elsewhere: Vec<_> =
        browser.requests().into_iter().filter(|url| !url.starts_with(&ours)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// What the button copies that is for this field, which itself does not show.
fn copied(browser: &Browser, css: &str) -> String {
    let value = browser.run("return document.querySelector(arguments[0]).value", &[json!(css)]);
    value.as_str().unwrap().to_owned()
}

/// What a copied request prints.
fn answered(server: &Server, program: &str, file: &str, request: &str, token: &str) -> Value {
    let path = server.folder.beside(file);
    std::fs::write(&path, request).unwrap();
    let mut command = Command::new(program);
    command.arg(path).env("PQC_TOKEN", token);
    // The server is on this machine, whatever the environment says.
    for name in ["no_proxy", "NO_PROXY"] {
        command.env(name, "127.0.0.1");
    }
    let run = run(&mut command, b"").ended(0);
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
}

/// The keys for it: Control and A, then none held.
const SELECT_ALL: &str = "\u{E009}a\u{E000}";
