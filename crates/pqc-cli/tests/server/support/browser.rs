//! A real browser, asked what it makes of a page: Chromium, by the WebDriver protocol.

mod look;

use std::fmt::Debug;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::capture::Capture;
use super::process::KilledOnDrop;
use super::{block_on, wait_until};

pub(crate) use look::{Theme, axe};

/// A browser with one page. It ends when this is dropped.
pub(crate) struct Browser {
    _driver: KilledOnDrop,
    /// Where its driver is asked about it.
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// The key of this name.
    pub(crate) const TAB: &str = "\u{E004}";
    /// The key of this name.
    pub(crate) const ENTER: &str = "\u{E007}";

    /// Starts one, without a window; nothing where there is none.
    pub(crate) fn start() -> Option<Self> {
        let named = std::env::var("PQC_TEST_CHROMEDRIVER");
        let program = named.unwrap_or_else(|_| "chromedriver".to_owned());
        let mut command = Command::new(&program);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut driver = match command.spawn() {
            Ok(driver) => KilledOnDrop(driver),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                skipped(&program);
                return None;
            }
            Err(error) => panic!("{program}: {error}"),
        };
        let printed = Capture::of(driver.0.stdout.take().unwrap());
        let port = "started successfully on port ";
        assert!(printed.wait_for(port) && printed.wait_for(".\n"), "{}", printed.so_far());
        let printed = printed.so_far();
        let port: u16 =
            printed.split_once(port).unwrap().1.trim().trim_matches('.').parse().unwrap();

        let profile = tempfile::tempdir().unwrap();
        let mut arguments = QUIET.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let sessions = format!("http://127.0.0.1:{port}/session");
        let session = asked(Method::POST, &sessions, &wanted);
        let id = session["sessionId"].as_str().unwrap_or_else(|| panic!("{session}"));
        Some(Self { _driver: driver, session: format!("{sessions}/{id}"), profile })
    }

    /// Opens a page.
    pub(crate) fn open(&self, url: &str) {
        self.post("url", &json!({"url": url}));
    }

    /// Waits until the page has something that this CSS selector names, and clicks on it.
    pub(crate) fn click(&self, css: &str) {
        self.post(&format!("element/{}/click", self.element(css)), &json!({}));
    }

    /// Types into the first field that this CSS selector names.
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        self.post(&format!("element/{}/value", self.element(css)), &json!({"text": text}));
    }

    /// Presses these keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let stroke =
            |key: char| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}));
        let strokes: Vec<Value> = keys.chars().flat_map(stroke).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.post("actions", &json!({"actions": [keyboard]}));
    }

    /// Runs the body of a function in the page; gives what it returns.
    pub(crate) fn run(&self, script: &str, args: &[Value]) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": args}))
    }

    /// The same for one that takes its time: gives what it calls `done` with.
    pub(crate) fn run_async(&self, script: &str, args: &[Value]) -> Value {
        let script = format!("const done = arguments[arguments.length - 1];\n{script}");
        self.post("execute/async", &json!({"script": script, "args": args}))
    }

    /// Takes all cookies of the page that is open away.
    pub(crate) fn forget_cookies(&self) {
        asked(Method::DELETE, &format!("{}/cookie", self.session), &Value::Null);
    }

    /// How many there are of what this CSS selector names.
    pub(crate) fn count(&self, css: &str) -> usize {
        self.elements(css).len()
    }

    /// Waits until there is something that this CSS selector names, and reads it.
    pub(crate) fn text(&self, css: &str) -> String {
        let text = self.get(&format!("element/{}/text", self.element(css)));
        text.as_str().unwrap().to_owned()
    }

    /// What was copied last, by whatever page.
    pub(crate) fn clipboard(&self) -> String {
        let grant = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.post("goog/cdp/execute", &json!({"cmd": "Browser.grantPermissions", "params": grant}));
        let read = "navigator.clipboard.readText().then(done, (error) => done(`${error}`));";
        self.run_async(read, &[]).as_str().unwrap().to_owned()
    }

    /// All that the console was told since this was last asked.
    pub(crate) fn console(&self) -> Vec<String> {
        let told = self.post("se/log", &json!({"type": "browser"}));
        told.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    /// Every address of a network that the page asked anything of since this was last asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.post("se/log", &json!({"type": "performance"}));
        let url = |event: &Value| {
            let event: Value = serde_json::from_str(event["message"].as_str()?).ok()?;
            let message = &event["message"];
            let asks = message["method"] == "Network.requestWillBeSent";
            asks.then(|| message["params"]["request"]["url"].as_str().unwrap().to_owned())
        };
        let urls = events.as_array().unwrap().iter().filter_map(url);
        // The page that a browser begins with is a part of it.
        urls.filter(|url| !url.starts_with("data:") && !url.starts_with("chrome:")).collect()
    }

    fn element(&self, css: &str) -> String {
        wait_until(css, || self.count(css) > 0);
        self.elements(css).swap_remove(0)
    }

    fn elements(&self, css: &str) -> Vec<String> {
        let found = self.post("elements", &json!({"using": "css selector", "value": css}));
        let id = |element: &Value| {
            element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
        };
        found.as_array().unwrap().iter().map(id).collect()
    }

    fn post(&self, command: &str, json: &Value) -> Value {
        asked(Method::POST, &format!("{}/{command}", self.session), json)
    }

    fn get(&self, command: &str) -> Value {
        asked(Method::GET, &format!("{}/{command}", self.session), &Value::Null)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver alone would leave the browser behind.
        let _ = block_on(reqwest::Client::new().delete(&self.session).send());
        let _ = std::fs::remove_dir_all(self.profile.path());
    }
}

fn asked(method: Method, url: &str, json: &Value) -> Value {
    block_on(async {
        let mut request = client().request(method, url);
        if !json.is_null() {
            request = request.json(json);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let mut answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{url}: {answer}");
        answer["value"].take()
    })
}

fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // A browser that hangs is to fail the test, not to hold it up.
        let builder = reqwest::Client::builder().no_proxy().timeout(IN_TIME);
        // The driver closes connections when it likes.
        builder.pool_max_idle_per_host(0).build().unwrap()
    })
}

fn skipped(program: &impl Debug) {
    eprintln!("\nSKIPPED: what a browser makes of a page: there is no {program:?}\n");
    let is_ci = std::env::var("CI").as_deref() == Ok("true");
    assert!(!is_ci, "CI needs Chromium and its driver");
}

const IN_TIME: Duration = Duration::from_secs(60);
/// It shall call nobody at home.
const QUIET: [&str; 8] = [
    "--headless",
    // Who is root has no other way; the only pages are ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
