//! How every page looks in a real browser, light and dark, narrow and wide: axe-core finds nothing,
//! nothing is wider than the screen, nothing jumps. Of each there is a picture afterwards.

mod documentation;
mod keyboard;
mod on_a_large_store;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Browser, Folder, Server, Theme, axe, large};

/// No pages: what forms and scripts are sent to, and files.
const NO_PAGES: [&str; 11] = [
    "/activity.jsonl",
    "/assets/{file}",
    "/keys/{key_id}/public.pem",
    "/sign-in",
    "/sign-out",
    "/token/reset",
    "/tokens/mint",
    "/tokens/revoke",
    "/tokens/revoke-all",
    "/try/token",
    "/usage.csv",
];
/// A telephone's, and a large screen's.
const WIDTHS: [u32; 2] = [360, 1600];
const HEIGHT: u32 = 900;
/// Of a picture: the rest of a long table looks like its beginning.
const TALLEST: u32 = 4000;
const MOST_SHIFT: f64 = 0.02;
const MOST_BYTES: usize = 300 * 1024;

/// The paths of all pages.
fn pages() -> Vec<&'static str> {
    let mut paths = pqc_http::pages();
    for path in NO_PAGES {
        assert!(paths.contains(&path), "{path} is not there any more");
    }
    paths.retain(|path| !NO_PAGES.contains(path));
    paths
}

/// Where pictures go.
fn pictures() -> PathBuf {
    let named = std::env::var_os("PQC_SCREENSHOTS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots"))
}

/// Signs in with the root token of the account `default`.
fn sign_in(browser: &Browser, server: &Server) {
    browser.open(&server.url());
    browser.type_into("#token", &server.folder.root_token());
    browser.click("main button[type=submit]");
    browser.text("header .account");
}

/// Who looks closely at one page after another.
struct Critic<'a> {
    browser: &'a Browser,
    server: &'a Server,
    /// The source text of axe-core.
    axe: Option<&'a str>,
    /// What names of pictures begin with.
    prefix: &'static str,
    width: u32,
    /// What is wrong, page by page.
    found: Vec<String>,
}

impl Critic<'_> {
    fn open(&self, place: &str) {
        self.browser.open(&format!("{}{place}", self.server.url()));
    }

    /// Looks at the page that was just loaded.
    fn look_at(&mut self, name: &str) {
        self.browser.first_paint_millis();
        let shift = self.browser.layout_shift();
        if shift > MOST_SHIFT {
            self.found.push(format!("{name}, {}: it jumps: {shift}", self.width));
        }
        self.look_once_more_at(name);
    }

    /// Looks at the page, in both themes, wherever its parts have come to.
    fn look_once_more_at(&mut self, name: &str) {
        let Self { browser, width, .. } = *self;
        for wide in browser.overflows() {
            self.found.push(format!("{name}, {width}: too wide: {wide}"));
        }
        for theme in Theme::BOTH {
            browser.look(theme, width, HEIGHT);
            let picture = format!("{}{name}-{}-{width}", self.prefix, theme.name());
            let violations = self.axe.map(|axe| browser.violations(axe)).unwrap_or_default();
            self.found.extend(violations.iter().map(|line| format!("{picture}: {line}")));
            browser.screenshot(&pictures().join(format!("{picture}.png")), TALLEST);
        }
        browser.look(Theme::Light, width, HEIGHT);
    }

    /// Looks at the pages for who is not signed in, and signs in.
    fn come_in(&mut self) {
        let browser = self.browser;
        browser.look(Theme::Light, self.width, HEIGHT);
        self.open("/");
        browser.forget_cookies();
        self.open("/");
        self.look_at("sign-in");
        browser.type_into("#token", "pqc_r_wrong");
        browser.click("main button[type=submit]");
        browser.text("#token-error");
        self.look_at("sign-in-refused");
        sign_in(browser, self.server);
    }

    /// Looks at each page; at those of a key only where there is one.
    fn look_around(&mut self, key_id: Option<&str>) {
        for path in pages() {
            let place = match key_id {
                Some(key_id) => path.replace("{key_id}", key_id),
                None if path.contains("{key_id}") => continue,
                None => path.to_owned(),
            };
            assert!(!place.contains('{'), "{path}: there is none to look at");
            self.open(&place);
            assert_eq!(self.browser.run("return location.pathname", &[]), place, "{path}: a page?");
            let name = path.trim_matches('/').replace(['{', '}'], "").replace(['/', '_'], "-");
            self.look_at(if name.is_empty() { "overview" } else { &name });
        }
    }

    /// Looks at what is shown by the way: a problem, a secret, a form that is refused.
    fn look_aside(&mut self) {
        let browser = self.browser;
        self.open("/keys/00");
        self.look_at("problem");
        self.open("/tokens");
        // As wide as a word can be.
        browser.type_into("#label", &"W".repeat(100));
        browser.click("main button[type=submit]");
        browser.text("#secret");
        self.look_at("token-minted");
        self.open("/");
        // Past the browser, which asks for the tick itself.
        browser.run(SEND_UNSURE, &[]);
        browser.text("#sure-error");
        self.look_at("reset-refused");
    }
}

#[test]
fn every_page_is_right_on_a_fresh_store() {
    let Some(browser) = Browser::start() else { return };
    let axe = axe();
    let mut found = Vec::new();
    for width in WIDTHS {
        // A new one each time: what is shown at the first sign-in is shown once.
        let server = &Folder::new().serve_with("--log warn");
        let (browser, axe, prefix) = (&browser, axe.as_deref(), "fresh-");
        let mut critic = Critic { browser, server, axe, prefix, width, found: Vec::new() };
        critic.come_in();
        browser.text("#secret");
        critic.look_at("first-sign-in");
        critic.look_around(None);
        // Last: it makes keys.
        critic.open("/try");
        browser.click("#run-all:enabled");
        browser.text("#outcome-7:not(:empty)");
        critic.look_once_more_at("try-done");
        found.append(&mut critic.found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_page_is_right_on_a_large_store() {
    let Some(browser) = Browser::start() else { return };
    let ((server, key_id), axe) = (large(), axe());
    for label in ["checkout service", "nightly backup", &*"x".repeat(100), "für & später"] {
        server.root().mint(&json!({"label": label, "expire_after_attempts": 12}));
    }
    let mut found = Vec::new();
    for width in WIDTHS {
        let (browser, axe, prefix) = (&browser, axe.as_deref(), "");
        let mut critic = Critic { browser, server, axe, prefix, width, found: Vec::new() };
        critic.come_in();
        critic.look_around(Some(key_id));
        critic.look_aside();
        found.append(&mut critic.found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The twin: a page that is spoilt.
#[test]
fn what_is_wrong_with_a_page_is_found() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    browser.look(Theme::Dark, 360, HEIGHT);
    browser.open(&server.url());
    browser.first_paint_millis();
    assert_eq!((browser.overflows(), browser.layout_shift()), (Vec::new(), 0.0));
    browser.run(SPOIL, &[]);
    assert!(browser.layout_shift() > MOST_SHIFT);
    assert!(browser.overflows().len() > 1);
    let Some(axe) = axe() else { return };
    let violations = browser.violations(&axe);
    for rule in ["image-alt: ", "color-contrast: "] {
        assert!(violations.iter().any(|line| line.starts_with(rule)), "{rule}{violations:?}");
    }
}

#[test]
fn all_that_the_pages_load_is_small() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    let key_id = server.root().generate().key_id;
    sign_in(&browser, &server);
    for path in pages() {
        browser.open(&format!("{}{}", server.url(), path.replace("{key_id}", &key_id)));
    }
    let assets = format!("{}/assets/", server.url());
    let loaded: BTreeSet<_> =
        browser.requests().into_iter().filter(|url| url.starts_with(&assets)).collect();
    assert!(loaded.contains(&format!("{assets}page.css")), "{loaded:?}");
    let bytes = |url: &String| {
        let answer = server.anyone().get(url.strip_prefix(&server.url()).unwrap());
        assert_eq!(answer.status, 200, "{url}");
        answer.body.len()
    };
    let sum: usize = loaded.iter().map(bytes).sum();
    println!("{} assets, {sum} bytes", loaded.len());
    assert!(sum < MOST_BYTES, "{sum} bytes: {loaded:?}");
}

const SEND_UNSURE: &str = r#"
const form = document.querySelector("form[action='/token/reset']");
form.noValidate = true;
form.querySelector("[type=submit]").click();
"#;

const SPOIL: &str = r#"
const main = document.querySelector("main");
main.append(document.createElement("img"));
const pale = document.createElement("p");
pale.textContent = "Nobody can read this.";
pale.style.color = "rgb(51, 51, 51)";
pale.style.width = "500px";
pale.style.height = "300px";
main.prepend(pale);
"#;
