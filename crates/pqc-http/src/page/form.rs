//! Forms that a browser sends: where from, and what is in them.

use axum::body::Body;
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};
use pqc_core::secret::Wiped;
use zeroize::Zeroizing;

use crate::app::App;
use crate::body;
use crate::problem::Problem;

/// The fields of a form, which may be secret.
#[derive(Debug)]
pub(super) struct Form(Wiped<Vec<u8>>);

impl Form {
    /// Receives one.
    pub(super) async fn receive(
        app: &App,
        parts: &Parts,
        body: &mut Body,
    ) -> Result<Self, Problem> {
        let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !media_type.is_some_and(|kind| kind.eq_ignore_ascii_case(FORM)) {
            return Err(Problem::BadRequest("This page takes what its own form sends."));
        }
        let mut room = app.bodies.room();
        body::receive(body, MAX_BYTES, app.body_time(parts), &mut room).await.map(Self)
    }

    /// What was typed into the first field of this name, without the space around it.
    pub(super) fn text(&self, name: &str) -> Zeroizing<String> {
        let mut fields = form_urlencoded::parse(&self.0);
        let found = fields.find(|(other, _)| other == name).map(|(_, value)| value.into_owned());
        let found = Zeroizing::new(found.unwrap_or_default());
        Zeroizing::new(found.trim().to_owned())
    }

    /// Whether the box of this name was ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        &*self.text(name) == "yes"
    }
}

/// Whether the request comes from a page of this very server, by the word of the browser. Of those
/// that do not say so (`Sec-Fetch-Site`), the origin has to be the host that they ask.
pub(super) fn is_from_here(parts: &Parts) -> bool {
    match parts.headers.get(SEC_FETCH_SITE) {
        Some(site) => site.as_bytes() == b"same-origin",
        None => is_own_origin(&parts.uri, &parts.headers),
    }
}

fn is_own_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(http::uri::Authority::as_str).or(host);
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.and_then(|origin| origin.split_once("://")).map(|(_, of)| of);
    host.is_some() && origin == host
}

/// What is asked for by this name in the query of an address.
pub(super) fn query(asked: &str, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(asked.as_bytes());
    fields.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// Nothing, in place of a token that was pasted into the wrong field: it is to be in no address.
pub(super) fn without_token(typed: &str) -> &str {
    if typed.contains("pqc_") { "" } else { typed }
}

const FORM: &str = "application/x-www-form-urlencoded";
/// Much more than any form here has.
const MAX_BYTES: usize = 16 * 1024;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn a_form_from_elsewhere_is_known_by_what_the_browser_says() {
        let is_ours = |headers: &[(&str, &str)]| {
            let mut request = Request::post("/sign-in").header("host", "localhost:8000");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            is_from_here(&request.body(()).unwrap().into_parts().0)
        };
        let (site, origin) = ("sec-fetch-site", "origin");
        assert!(is_ours(&[(site, "same-origin")]));
        assert!(is_ours(&[(origin, "http://localhost:8000")]));
        for wrong in [
            &[][..],
            &[(site, "cross-site")],
            &[(site, "same-site")],
            &[(site, "none")],
            &[(site, "cross-site"), (origin, "http://localhost:8000")],
            &[(origin, "null")],
            &[(origin, "http://localhost:8001")],
            &[(origin, "http://elsewhere.example")],
            &[(origin, "localhost:8000")],
        ] {
            assert!(!is_ours(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_field_is_read_as_it_was_typed() {
        let form = Form(Wiped::new(b"a=1&token=+pqc_r_x%0D%0A&label=a%20%3Cb%3E&a=2".to_vec()));
        let text = |name| form.text(name).as_str().to_owned();
        assert_eq!((text("a"), text("token")), ("1".to_owned(), "pqc_r_x".to_owned()));
        assert_eq!((text("label"), text("none")), ("a <b>".to_owned(), String::new()));
    }
}
