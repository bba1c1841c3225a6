//! Single values, as they are typed or stand in the TOML file.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use jiff::{Span, SpanRelativeTo};
use pqc_core::{KeyId, SignatureAlgorithm, TokenId};
use zeroize::Zeroizing;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse().map(Self);
        address.map_err(|_| "an address is IP:PORT, such as 127.0.0.1:8000 or [::1]:8000")
    }
}

/// Which store is meant. Reading never fails, and an unknown one keeps nothing but its scheme: a
/// store's URL may hold a password, and errors show what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// `sqlite:`, the one in the data folder.
    Embedded,
    /// `postgres:`, a database that servers share.
    Postgres(PostgresUrl),
    /// Another one, by the scheme of its URL.
    Other {
        /// The scheme, or nothing if there was none.
        scheme: String,
    },
}

/// The URL of a PostgreSQL database, with a password maybe, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl(Zeroizing<String>);

impl PostgresUrl {
    /// The URL with all that is in it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresUrl(..)")
    }
}

impl From<&str> for StoreUrl {
    fn from(text: &str) -> Self {
        if text == "sqlite:" {
            return Self::Embedded;
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Self::Postgres(PostgresUrl(text.to_owned().into()));
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = if scheme.chars().all(plain) { scheme } else { "" };
        Self::Other { scheme: scheme.to_owned() }
    }
}

impl StoreUrl {
    /// A URL without what may be secret in it.
    pub(crate) fn redacted(url: &str) -> String {
        let (url, query) = match url.split_once('?') {
            Some((url, _)) => (url, "?[redacted]"),
            None => (url, ""),
        };
        match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => {
                format!("{scheme}://[redacted]@{place}{query}")
            }
            _ => format!("{url}{query}"),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

/// A time span in whole seconds: `15m`, `900s`, `2h`, `1h 30m`, `1d`; a bare number is seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u64);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole_seconds = || {
            if let Ok(seconds) = text.parse() {
                return Some(seconds);
            }
            let span: Span = text.parse().ok()?;
            let time = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
            if time.subsec_nanos() != 0 {
                return None;
            }
            u64::try_from(time.as_secs()).ok()
        };
        whole_seconds().map(Self).ok_or("a time is whole seconds, such as 900s, 15m or 2h")
    }
}

/// How long something is kept: as [`Seconds`], but a bare number is days. At most 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grace(pub(crate) Duration);

impl FromStr for Grace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DAY: u64 = 24 * 60 * 60;
        let seconds = match text.parse::<u64>() {
            Ok(days) => days.checked_mul(DAY),
            Err(_) => text.parse().ok().map(|Seconds(seconds)| seconds),
        };
        let seconds = seconds.filter(|seconds| *seconds <= 36_500 * DAY);
        let grace = seconds.map(Duration::from_secs).map(Self);
        grace.ok_or("a grace is days, or such as 30d or 12h, from 0 to 36500d")
    }
}

/// A limit of time, from a second to an hour.
pub(crate) fn timeout(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().map(|Seconds(seconds)| seconds);
    let seconds = seconds.filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("a limit of time is from 1s to 1h, such as 30s")
}

/// A network, or a single address.
pub(crate) fn network(text: &str) -> Result<IpNet, &'static str> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse().ok().or_else(single);
    network.ok_or("a network is such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32")
}

/// The origin of a page: scheme and host, and the port if it is not the scheme's own.
pub(crate) fn origin(text: &str) -> Result<HeaderValue, &'static str> {
    let what = "an origin is such as https://app.example or http://localhost:3000";
    let (_, host) = text
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(scheme))
        .ok_or(what)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
    if host.is_empty() || !host.chars().all(is_plain) {
        return Err(what);
    }
    HeaderValue::try_from(text).map_err(|_| what)
}

/// Where a collector of traces is: no more than scheme, host and port.
pub(crate) fn collector(text: &str) -> Result<String, &'static str> {
    let host = text.strip_prefix("http://").ok_or(
        "it is the URL of an OTLP collector over HTTP on this machine or a trusted network, such as \
         http://127.0.0.1:4318; https is for the collector to speak",
    )?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match host.trim_end_matches('/') {
        "" => Err("it has no host"),
        host if host.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err("it has a host and a port, and no more: /v1/traces is added"),
    }
}

/// The name of an algorithm for signatures.
pub(crate) fn signature_algorithm(name: &str) -> Result<SignatureAlgorithm, &'static str> {
    SignatureAlgorithm::from_name(name).map_err(|_| "it is ML-DSA-44, ML-DSA-65 or ML-DSA-87")
}

/// A key's id in hex.
pub(crate) fn key_id(text: &str) -> Result<KeyId, &'static str> {
    let id = hex::decode(text).ok().and_then(|bytes| KeyId::from_slice(&bytes).ok());
    id.ok_or("a key id has 64 or 32 hex digits")
}

/// A token's id in hex.
pub(crate) fn token_id(text: &str) -> Result<TokenId, &'static str> {
    let id = hex::decode(text).ok().and_then(|bytes| TokenId::from_slice(&bytes).ok());
    id.ok_or("a token id has 32 hex digits, as `pqc token list` shows it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("900", 900),
            ("900s", 900),
            ("15m", 900),
            ("2h", 7200),
            ("1h30m", 5400),
            ("1d", 86400),
        ] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
        for text in ["", "soon", "-5m", "1.5s", "500ms", "1mo", "15 x", "99999999999999999999"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_grace_is_in_days_unless_it_says_otherwise() {
        let of = |seconds| Ok(Grace(Duration::from_secs(seconds)));
        for (text, seconds) in
            [("0", 0), ("30", 2_592_000), ("30d", 2_592_000), ("12h", 43_200), ("0s", 0)]
        {
            assert_eq!(text.parse(), of(seconds), "{text}");
        }
        assert_eq!("2h".parse(), of(7200));
        for text in ["", "-1", "1.5", "36501", "876001h", "soon", "99999999999999999999"] {
            assert!(text.parse::<Grace>().is_err(), "{text}");
        }
    }

    #[test]
    fn limits_of_time_networks_and_origins_have_their_forms() {
        assert_eq!(timeout("30s"), Ok(Duration::from_secs(30)));
        for text in ["0", "0s", "3601", "2h", "soon", ""] {
            assert!(timeout(text).is_err(), "{text}");
        }
        for text in ["192.0.2.7", "10.0.0.0/8", "::1", "2001:db8::/32"] {
            assert!(network(text).is_ok(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "proxy.example", "192.0.2.7:80"] {
            assert!(network(text).is_err(), "{text}");
        }
        for text in ["https://app.example", "http://localhost:3000", "https://[2001:db8::1]:8443"] {
            assert!(origin(text).is_ok(), "{text}");
        }
        for text in
            ["", "*", "null", "app.example", "https://", "https://app.example/", "https://A"]
        {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_part_of_a_stores_url_is_shown_but_an_unknown_scheme() {
        assert_eq!(StoreUrl::from("sqlite:"), StoreUrl::Embedded);
        for text in ["postgres://me:hunter2@host/db", "me:hunter2", "hunter2", "p w:x"] {
            assert!(!format!("{:?}", StoreUrl::from(text)).contains("hunter2"), "{text}");
        }
        for text in ["postgres://me:hunter2@host/db", "postgresql:x"] {
            let StoreUrl::Postgres(url) = StoreUrl::from(text) else { panic!("{text}") };
            assert_eq!(url.expose(), text);
        }
        let other = StoreUrl::Other { scheme: "mysql".to_owned() };
        assert_eq!(StoreUrl::from("mysql://host/db"), other);
    }

    #[test]
    fn ids_are_hex_of_their_length() {
        assert!(token_id(&"0a".repeat(16)).is_ok());
        assert!(token_id(&"0a".repeat(15)).is_err());
        assert!(token_id(&"0g".repeat(16)).is_err());
        assert!(key_id(&"0A".repeat(32)).is_ok());
        assert!(key_id(&"0a".repeat(16)).is_ok());
        assert!(key_id(&"0a".repeat(31)).is_err());
    }
}
