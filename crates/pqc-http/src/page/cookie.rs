//! The two cookies: of who is signed in, and of who is about to sign in.
//!
//! Both hold a [`SessionValue`], from which the token in each form comes. That of the visitor is known
//! to no store; it only shows that the form for signing in was sent by who got it.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use pqc_core::session::{LIFETIME_SECONDS, SessionValue};
use zeroize::Zeroizing;

use crate::app::App;
use crate::problem::Problem;

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Of who is signed in.
    Session,
    /// Of who is not, while the browser is open.
    Visitor,
}

impl Cookie {
    /// What it holds, if it was sent and is well-formed.
    pub(super) fn read(self, app: &App, headers: &HeaderMap) -> Option<SessionValue> {
        let name = self.name(is_secure(app));
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(other, _)| other.trim() == name).map(|(_, value)| value);
        values.find_map(|value| SessionValue::parse(value.trim()).ok())
    }

    /// The header that sets it.
    pub(super) fn set(self, app: &App, value: &SessionValue) -> Result<HeaderValue, Problem> {
        let lifetime = match self {
            Self::Session => format!("; Max-Age={LIFETIME_SECONDS}"),
            Self::Visitor => String::new(),
        };
        self.line(is_secure(app), &value.expose_text(), &lifetime)
    }

    /// The header that takes it away.
    pub(super) fn clear(self, app: &App) -> Result<HeaderValue, Problem> {
        self.line(is_secure(app), "", "; Max-Age=0")
    }

    fn line(self, is_secure: bool, value: &str, lifetime: &str) -> Result<HeaderValue, Problem> {
        let (name, secure) = (self.name(is_secure), if is_secure { "; Secure" } else { "" });
        let line = Zeroizing::new(format!(
            "{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{lifetime}"
        ));
        let mut line = HeaderValue::from_str(&line).map_err(|_| Problem::Internal)?;
        line.set_sensitive(true);
        Ok(line)
    }

    /// Browsers take a `__Host-` cookie from this very host alone, and over TLS alone.
    const fn name(self, is_secure: bool) -> &'static str {
        match (self, is_secure) {
            (Self::Session, true) => "__Host-pqc_session",
            (Self::Session, false) => "pqc_session",
            (Self::Visitor, true) => "__Host-pqc_visitor",
            (Self::Visitor, false) => "pqc_visitor",
        }
    }
}

/// Whether cookies are for TLS alone. A proxy may end it; if it does not, the browser drops them.
fn is_secure(app: &App) -> bool {
    app.config.tls || !app.config.proxies.are_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Config;
    use std::sync::Arc;

    async fn app(config: Config) -> Arc<App> {
        App::new(crate::testing::lab().await.service, config)
    }

    fn value() -> SessionValue {
        SessionValue::parse("pqc_s_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc").unwrap()
    }

    #[tokio::test]
    async fn a_cookie_is_for_this_host_and_no_script_and_for_tls_where_there_is_tls() {
        let plain = app(Config::default()).await;
        let line = Cookie::Session.set(&plain, &value()).unwrap();
        assert!(line.is_sensitive());
        let expected = format!(
            "pqc_session={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200",
            *value().expose_text()
        );
        assert_eq!(line.to_str().unwrap(), expected);
        let over_tls = app(Config { tls: true, ..Config::default() }).await;
        let line = Cookie::Visitor.set(&over_tls, &value()).unwrap();
        let expected = format!(
            "__Host-pqc_visitor={}; Path=/; HttpOnly; SameSite=Strict; Secure",
            *value().expose_text()
        );
        assert_eq!(line.to_str().unwrap(), expected);
    }

    #[tokio::test]
    async fn a_cookie_is_found_among_others_and_not_under_another_name() {
        let app = app(Config::default()).await;
        let text = value().expose_text();
        let read = |line: String| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, line.parse().unwrap());
            Cookie::Session.read(&app, &headers).is_some()
        };
        assert!(read(format!("pqc_session={}", *text)));
        assert!(read(format!("a=b; pqc_session=wrong; c;pqc_session={} ; d=e", *text)));
        for wrong in ["pqc_visitor", "__Host-pqc_session", "xpqc_session", "PQC_SESSION"] {
            assert!(!read(format!("{wrong}={}", *text)), "{wrong}");
        }
        assert!(!read("pqc_session=".to_owned()) && !read("pqc_session".to_owned()));
    }
}
