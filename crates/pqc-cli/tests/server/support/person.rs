//! A person with a browser that runs no script: keeps cookies, sends forms.

use std::collections::BTreeMap;

use super::{Answer, Call, Client, Server};

/// Somebody at the dashboard of a server.
#[derive(Clone)]
pub(crate) struct Person {
    client: Client,
    origin: String,
    /// By their names.
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Person {
    /// Who was never there.
    pub(crate) fn new(server: &Server) -> Self {
        Self { client: server.anyone(), origin: server.url(), cookies: BTreeMap::new() }
    }

    /// Who is signed in with this root token.
    #[track_caller]
    pub(crate) fn signed_in(server: &Server, token: &str) -> Self {
        let mut person = Self::new(server);
        let answer = person.sign_in(token);
        assert!(is_signed_in(&answer), "{}", answer.start());
        person
    }

    /// Opens the first page and sends its form.
    #[track_caller]
    pub(crate) fn sign_in(&mut self, token: &str) -> Answer {
        let page = self.open("/");
        let form_token = form_token(&page);
        self.send("/sign-in", &[("form_token", &form_token), ("token", token)])
    }

    /// Opens a page.
    #[track_caller]
    pub(crate) fn open(&mut self, path: &str) -> Page {
        let call = self.with_cookies(Call::get(path));
        Page(self.sent(&call))
    }

    /// Fills in the form of this page, and sends it to `path`.
    #[track_caller]
    pub(crate) fn fill_in(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form_token = form_token(page);
        let mut all = vec![("form_token", form_token.as_str())];
        all.extend_from_slice(fields);
        self.send(path, &all)
    }

    /// Sends these fields.
    #[track_caller]
    pub(crate) fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let call = self.form(path, fields);
        self.sent(&call)
    }

    /// The call that sends these fields, as from a page of this server.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> Call {
        let encoded: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let call = Call::new("POST", path)
            .body(encoded.join("&"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", self.origin.clone());
        self.with_cookies(call)
    }

    /// The call with the cookies.
    pub(crate) fn with_cookies(&self, call: Call) -> Call {
        if self.cookies.is_empty() {
            return call;
        }
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        call.header("cookie", pairs.join("; "))
    }

    /// Sends a call, and keeps the cookies of its answer.
    #[track_caller]
    pub(crate) fn sent(&mut self, call: &Call) -> Answer {
        let answer = self.client.send(call);
        for line in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// Whether this answers who signed in: at the first time with a page that has the token.
pub(crate) fn is_signed_in(answer: &Answer) -> bool {
    answer.status == 303
        || answer.status == 200 && html(answer).contains("<h1>Keep your root token</h1>")
}

/// A page that was opened.
pub(crate) struct Page(pub(crate) Answer);

impl Page {
    /// Its HTML.
    pub(crate) fn html(&self) -> String {
        html(&self.0)
    }
}

/// The HTML of an answer that may hold a secret and is guarded.
#[track_caller]
pub(crate) fn html(answer: &Answer) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{text}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!text.contains("<script>") && !text.contains(" style=") && !text.contains(" onclick"));
    text
}

/// That of the first form of the page.
#[track_caller]
fn form_token(page: &Page) -> String {
    let html = page.html();
    let (_, rest) =
        html.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("{html}"));
    rest.split_once('"').unwrap().0.to_owned()
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
