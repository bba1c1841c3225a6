//! What the pages load: a style sheet, an icon and small scripts, all from this binary.

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};

use crate::around::answer_bodiless;
use crate::problem::Problem;

/// One of the files, by its name.
pub(super) async fn file(name: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let asked = name.ok().map(|Path(name)| name);
    // Not counted: a page that says that there were too many calls needs them too.
    answer_bodiless(request, "GET, HEAD", async |_| {
        match FILES.iter().find(|(name, ..)| asked.as_deref() == Some(*name)) {
            Some((_, media_type, text)) => respond(media_type, text),
            None => Problem::NoRoute.into_response(),
        }
    })
    .await
}

fn respond(media_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// Name, media type, text.
const FILES: [(&str, &str, &str); 7] = [
    ("page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("forms.js", JAVASCRIPT, include_str!("assets/forms.js")),
    ("secrets.js", JAVASCRIPT, include_str!("assets/secrets.js")),
    ("times.js", JAVASCRIPT, include_str!("assets/times.js")),
    ("try.js", JAVASCRIPT, include_str!("assets/try.js")),
    ("snippets.js", JAVASCRIPT, include_str!("assets/snippets.js")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_few_and_small() {
        let bytes: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes < 100 * 1024, "{bytes}");
    }
}
