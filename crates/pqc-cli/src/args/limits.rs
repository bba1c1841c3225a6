//! What a server lets its clients take: the settings of [`pqc_http::Config`].

use std::num::NonZeroU32;
use std::time::Duration;

use clap::value_parser;
use http::HeaderValue;
use ipnet::IpNet;
use pqc_http::{Config, Proxies, ProxyHeader, RateConfig};

use super::values;

/// The limits of a server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// The longest text to encrypt, in bytes of UTF-8
    #[arg(
        long,
        env = "PQC_MAX_TEXT",
        hide_env_values = true,
        value_name = "BYTES",
        default_value = "16777216",
        value_parser = value_parser!(u64).range(1..=MAX_MAX_TEXT)
    )]
    pub(crate) max_text: u64,
    /// The most connections at a time; more wait to be accepted
    #[arg(
        long,
        env = "PQC_MAX_CONNECTIONS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "4096",
        value_parser = value_parser!(u32).range(16..=1_000_000)
    )]
    max_connections: u32,
    /// The most connections of one address at a time; more are closed at once
    #[arg(
        long,
        env = "PQC_MAX_CONNECTIONS_PER_ADDRESS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "256",
        value_parser = value_parser!(u32).range(1..=1_000_000)
    )]
    max_connections_per_address: u32,
    /// The most bytes in the headers of a request
    #[arg(
        long,
        env = "PQC_MAX_HEADERS",
        hide_env_values = true,
        value_name = "BYTES",
        default_value = "16384",
        value_parser = value_parser!(u32).range(1024..=65536)
    )]
    max_headers: u32,
    /// The most lines in the headers of a request
    #[arg(
        long,
        env = "PQC_MAX_HEADER_LINES",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "100",
        value_parser = value_parser!(u32).range(16..=1000)
    )]
    max_header_lines: u32,
    /// The time for the head of a connection's first request, and for a TLS handshake
    #[arg(
        long,
        env = "PQC_HEADER_TIMEOUT",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "15s",
        value_parser = values::timeout
    )]
    header_timeout: Duration,
    /// The time for each mebibyte of a body to arrive
    #[arg(
        long,
        env = "PQC_BODY_TIMEOUT",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "30s",
        value_parser = values::timeout
    )]
    body_timeout: Duration,
    /// The time for a request from its head to its answer
    ///
    /// A body that is not there by then is refused; a call that still runs is answered 503, and goes
    /// on.
    #[arg(
        long,
        env = "PQC_REQUEST_TIMEOUT",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "300s",
        value_parser = values::timeout
    )]
    request_timeout: Duration,
    /// The time for each mebibyte of an answer to be taken
    #[arg(
        long,
        env = "PQC_ANSWER_TIMEOUT",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "30s",
        value_parser = values::timeout
    )]
    answer_timeout: Duration,
    /// The time for which a connection is kept between requests
    #[arg(
        long,
        env = "PQC_IDLE_TIMEOUT",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "75s",
        value_parser = values::timeout
    )]
    idle_timeout: Duration,
    /// The time for running requests at the end of the server
    #[arg(
        long,
        env = "PQC_DRAIN_TIMEOUT",
        hide_env_values = true,
        value_name = "TIME",
        default_value = "30s",
        value_parser = values::timeout
    )]
    drain_timeout: Duration,
    /// The most requests at a time on one connection of HTTP/2
    #[arg(
        long,
        env = "PQC_HTTP2_STREAMS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "100",
        value_parser = value_parser!(u32).range(1..=10_000)
    )]
    http2_streams: u32,
    /// How many streams a client may reset before they were looked at, until its connection ends
    #[arg(
        long,
        env = "PQC_HTTP2_RESETS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "20",
        value_parser = value_parser!(u16).range(1..)
    )]
    http2_resets: u16,
    /// The most calls at work at a time; more are refused (503)
    ///
    /// A call whose body is still to come is not at work.
    #[arg(
        long,
        env = "PQC_MAX_CALLS_IN_FLIGHT",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "2048",
        value_parser = value_parser!(u32).range(1..=1_000_000)
    )]
    max_calls_in_flight: u32,
    /// Calls in a second by one address; 0 is no limit
    ///
    /// Limits by address hold beyond loopback, and for the clients of trusted proxies.
    #[arg(
        long,
        env = "PQC_ADDRESS_RATE",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "1000"
    )]
    address_rate: u32,
    /// Calls in a second by one token; 0 is no limit
    #[arg(
        long,
        env = "PQC_TOKEN_RATE",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "0"
    )]
    token_rate: u32,
    /// Calls in a minute by one address with a token that is not accepted; 0 is no limit
    #[arg(
        long,
        env = "PQC_FAILED_AUTHORIZATIONS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "60"
    )]
    failed_authorizations: u32,
    /// Proxies that say whom they call for: addresses or networks, separated by commas
    #[arg(
        long,
        env = "PQC_TRUSTED_PROXIES",
        hide_env_values = true,
        value_name = "NETWORKS",
        value_delimiter = ',',
        value_parser = values::network
    )]
    trusted_proxies: Vec<IpNet>,
    /// The header in which they say it
    #[arg(
        long,
        env = "PQC_PROXY_HEADER",
        hide_env_values = true,
        value_name = "NAME",
        default_value = "x-forwarded-for"
    )]
    proxy_header: HeaderChoice,
    /// Origins whose pages may call (CORS), each as scheme://host, separated by commas
    #[arg(
        long,
        env = "PQC_CORS_ORIGINS",
        hide_env_values = true,
        value_name = "ORIGINS",
        value_delimiter = ',',
        value_parser = values::origin
    )]
    cors_origins: Vec<HeaderValue>,
}

/// Where a proxy names its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum HeaderChoice {
    /// Addresses, the proxy's own client last
    XForwardedFor,
    /// RFC 7239
    Forwarded,
}

impl LimitArgs {
    /// The limits for a server on loopback or beyond it.
    pub(crate) fn config(self, loopback: bool) -> anyhow::Result<Config> {
        let header = match self.proxy_header {
            HeaderChoice::XForwardedFor => ProxyHeader::XForwardedFor,
            HeaderChoice::Forwarded => ProxyHeader::Forwarded,
        };
        Ok(Config {
            max_text_bytes: usize::try_from(self.max_text)?,
            body_timeout: self.body_timeout,
            request_timeout: self.request_timeout,
            header_timeout: self.header_timeout,
            idle_timeout: self.idle_timeout,
            answer_timeout: self.answer_timeout,
            drain_timeout: self.drain_timeout,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            max_header_bytes: usize::try_from(self.max_headers)?,
            max_header_lines: usize::try_from(self.max_header_lines)?,
            http2_streams: self.http2_streams,
            http2_resets: self.http2_resets.into(),
            max_calls_in_flight: self.max_calls_in_flight,
            rates: RateConfig {
                address: NonZeroU32::new(self.address_rate),
                token: NonZeroU32::new(self.token_rate),
                refused: NonZeroU32::new(self.failed_authorizations),
            },
            proxies: Proxies { networks: self.trusted_proxies, header },
            origins: self.cors_origins,
            loopback,
            ..Config::default()
        })
    }
}

/// The longest that can be decrypted under the ceiling on all bodies, which a call then has nearly
/// to itself: twice its length comes in, and as much again is made of that.
const MAX_MAX_TEXT: u64 = 64 * 1024 * 1024;
