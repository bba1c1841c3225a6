//! The dashboard in a real browser, as a person uses it.

use crate::support::{Browser, Folder, Server, wait_until};

/// What the policy of the pages forbids would be in one of these lists.
fn assert_kept_to_itself(browser: &Browser, server: &Server, asked: &[&str]) {
    assert_eq!(browser.console(), [] as [&str; 0]);
    let requests = browser.requests();
    for path in asked {
        assert!(requests.contains(&format!("{}{path}", server.url())), "{path}: {requests:?}");
    }
    let ours = format!("{}/", server.url());
    let elsewhere: Vec<_> = requests.iter().filter(|url| !url.starts_with(&ours)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

fn sign_in(browser: &Browser, server: &Server, token: &str) {
    browser.open(&server.url());
    browser.type_into("#token", token);
    browser.click("main button[type=submit]");
    let said = browser.text("header .account");
    assert_eq!(said, "default");
}

#[test]
fn a_person_signs_in_and_out_and_the_browser_asks_nobody_else() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    sign_in(&browser, &server, &server.folder.root_token());
    browser.click("header button");
    browser.text("#token");
    let asked = ["/", "/assets/page.css", "/assets/times.js", "/sign-in", "/sign-out"];
    assert_kept_to_itself(&browser, &server, &asked);
}

#[test]
fn a_person_mints_shows_copies_and_revokes_a_token_and_looks_around() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    server.root().generate();
    sign_in(&browser, &server, &server.folder.root_token());
    browser.click("nav a[href='/tokens']");
    browser.text("#label-hint");
    browser.type_into("#label", "<script>alert(1)</script>");
    browser.click("main button[type=submit]");
    // Behind dots, until it is shown.
    browser.text("[data-show]");
    assert_eq!(browser.count("#secret[type=password]"), 1);
    browser.click("[data-copy=secret]");
    assert_eq!(browser.text("#secret-said:not(:empty)"), "Copied.");
    let copied = browser.clipboard();
    assert_eq!(server.holder(&copied).attempts_left(), 1, "{copied}");
    browser.click("[data-show]");
    assert_eq!(browser.count("#secret[type=text]"), 1);
    browser.click("nav a[href='/tokens']");
    assert_eq!(browser.text("tbody .name"), "<script>alert(1)</script>");
    browser.click("tbody button");
    assert_eq!(browser.text("tbody td:last-child:not(:has(form))"), "revoked");

    // A time is written in the person's own way.
    assert!(browser.text("tbody time[title]").len() > 6);
    browser.click("nav a[href='/usage']");
    browser.text("svg.chart .tick");
    browser.click("nav a[href='/keys']");
    let fingerprint = browser.text("#fingerprint");
    browser.click("[data-copy=fingerprint]");
    browser.text("#issuer-said:not(:empty)");
    assert_eq!(browser.clipboard(), fingerprint);
    browser.click("[data-copy=issuer-pem]");
    wait_until("that it is copied", || {
        browser.clipboard().starts_with("-----BEGIN PUBLIC KEY-----")
    });
    browser.click("tbody a");
    browser.text("#public-pem");
    let key_id = browser.text("dd code");
    browser.click("nav a[href='/keys']");
    browser.type_into("#begins", &key_id[..10].to_uppercase());
    browser.click("main button[type=submit]");
    assert_eq!(browser.text("h2 code"), key_id[..10]);
    assert_eq!(browser.count("tbody tr"), 1);
    browser.click("nav a[href='/activity']");
    browser.type_into("#act", "revoke");
    browser.click("main button[type=submit]");
    browser.text("a[href='/activity']:not(nav a)");
    assert_eq!(browser.count("tbody tr"), 1);
    assert_eq!(browser.text("tbody td:nth-child(2)"), "token.revoke");
    assert_kept_to_itself(&browser, &server, &["/tokens/mint", "/usage", "/keys"]);
}

#[test]
fn a_person_resets_the_root_token_once_however_often_the_button_is_clicked() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    let temporary = server.root().mint_counted(5);
    let old = server.folder.root_token();
    sign_in(&browser, &server, &old);
    browser.open(&server.url());
    // The browser asks for the tick itself.
    browser.click("button.danger");
    assert_eq!((browser.count("#sure:invalid"), browser.count("#secret, #sure-error")), (1, 0));
    browser.click("#sure");
    // Further clicks come when the first has begun to do something: in tasks of their own.
    browser.run(CLICKS, &[]);
    browser.click("[data-copy=secret]");
    browser.text("#secret-said:not(:empty)");
    let new = browser.clipboard();
    let sent = browser.requests();
    let sent = sent.iter().filter(|url| url.ends_with("/token/reset")).count();
    assert_eq!(sent, 1, "the form was sent more than once");
    server.holder(&new).token_self();
    server.holder(&old).get("/api/v1/token/self").problem(401);
    temporary.get("/api/v1/token/self").problem(401);
    browser.click("nav a[href='/tokens']");
    browser.text("#label-hint");

    let tokens = [1, 2].map(|_| server.holder(&new).mint_counted(5));
    browser.open(&format!("{}/tokens", server.url()));
    browser.click("summary");
    browser.click("#sure");
    browser.click("button.danger");
    wait_until("that all are revoked", || {
        tokens.iter().all(|token| token.get("/api/v1/token/self").status == 401)
    });
    assert_eq!(browser.console(), [] as [&str; 0]);
}

#[test]
fn who_is_not_signed_in_comes_to_the_page_that_was_asked_for_by_signing_in() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    let token = server.folder.root_token();
    sign_in(&browser, &server, &token);
    browser.click("header button");
    browser.text("#token");
    browser.open(&format!("{}/usage?month=2020-02", server.url()));
    browser.type_into("#token", &token);
    browser.click("main button[type=submit]");
    assert_eq!(browser.text("h1"), "Usage, February 2020");
}

const CLICKS: &str = "
const button = document.querySelector('button.danger');
button.click();
for (const after of [3, 6, 9, 12, 15]) setTimeout(() => button.click(), after);
";
