//! Answers, and what holds of every one of a kind.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::names;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().unwrap();
        assert!(values.next().is_none(), "{name} is there twice");
        Some(first)
    }

    /// Asserts 200 with JSON that is not to be kept; gives the JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.start());
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.assert_around();
        self.json()
    }

    /// Asserts 200 with a JSON string; gives the string.
    #[track_caller]
    pub(crate) fn ok_text(&self) -> String {
        let Value::String(text) = self.ok() else { panic!("not a string: {}", self.start()) };
        text
    }

    /// Asserts a refusal in the one form that they all have (RFC 9457); gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.start());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        self.assert_around();
        let problem = self.json();
        let mut expected = vec!["detail", "request_id", "status", "title", "type"];
        if status == 422 {
            expected.insert(1, "errors");
        }
        let found: Vec<_> = names(&problem).into_iter().filter(|name| *name != "attempt").collect();
        assert_eq!(found, expected, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(problem["type"].as_str().unwrap().starts_with("urn:pqc:problem:"), "{problem}");
        for name in ["title", "detail"] {
            assert!(!problem[name].as_str().unwrap().is_empty(), "{problem}");
        }
        for (name, statuses) in
            [("www-authenticate", &[401][..]), ("allow", &[405]), ("retry-after", &[409, 503, 429])]
        {
            assert_eq!(self.header(name).is_some(), statuses.contains(&status), "{name}: {status}");
        }
        problem
    }

    /// Asserts a 422 for exactly these places, such as `body.pk`; gives the problem.
    #[track_caller]
    pub(crate) fn invalid(&self, places: &[&str]) -> Value {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().unwrap();
        let found: Vec<_> = errors
            .iter()
            .map(|error| {
                assert_eq!(names(error), ["loc", "msg", "type"], "{error}");
                assert!(!error["msg"].as_str().unwrap().is_empty(), "{error}");
                assert!(!error["type"].as_str().unwrap().is_empty(), "{error}");
                let loc = error["loc"].as_array().unwrap().iter();
                loc.map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(".")
            })
            .collect();
        assert_eq!(found, places, "{problem}");
        problem
    }

    /// What holds of every answer of the two families.
    #[track_caller]
    fn assert_around(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()));
        let length = self.body.len().to_string();
        assert_eq!(self.header("content-length"), Some(length.as_str()));
        let cors = "access-control-allow-credentials";
        assert_eq!(self.header(cors), None);
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.start()))
    }

    /// The first part of the body, for messages.
    pub(crate) fn start(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        format!("{} {}", self.status, text.chars().take(600).collect::<String>())
    }
}
