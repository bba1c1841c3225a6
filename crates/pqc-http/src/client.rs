//! Who calls: the address of the client, also behind proxies.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv6Net};

/// The proxies whose word about their clients is taken, and the header in which they give it.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Where they are. Anyone else's word counts for nothing.
    pub networks: Vec<IpNet>,
    /// What they write. Another header comes from who knows whom, and is not looked at.
    pub header: ProxyHeader,
}

/// Where a proxy names the client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses, the proxy's own client last.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): elements with `for=`, the proxy's own client last.
    Forwarded,
}

impl Proxies {
    /// Whether there are any.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.networks.is_empty()
    }

    pub(crate) fn have(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The client of a request that came from `peer`: the last address that is no proxy's. What
    /// stands before that one may be invented.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let mut client = peer.to_canonical();
        if !self.have(client) {
            return Client::At(client);
        }
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, address),
            ProxyHeader::Forwarded => (FORWARDED, forwarded_for),
        };
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        let elements = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        let mut elements = elements.peekable();
        if elements.peek().is_none() {
            return Client::OfProxy(client);
        }
        for element in elements {
            // One that cannot be read hides what is before it.
            let Some(address) = read(element.trim()) else { return Client::OfProxy(client) };
            client = address;
            if !self.have(client) {
                break;
            }
        }
        Client::At(client)
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// One at this address.
    At(IpAddr),
    /// One of those for whom this proxy calls, and of whom it does not say which.
    OfProxy(IpAddr),
}

/// `for` of an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut of = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for"));
    let (Some((_, value)), None) = (of.next(), of.next()) else { return None };
    address(value.trim().trim_matches('"'))
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse());
    let read = bare.or_else(|_| text.parse().map(|address: std::net::SocketAddr| address.ip()));
    read.ok().map(|address| address.to_canonical())
}

/// Whom a limit by address holds for: an IPv4 address, or the /64 that one subscriber of IPv6 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                Ipv6Net::new(address, 64).map_or(address, |network| network.network()).into()
            }
        })
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ProxyHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|net| net.parse().unwrap());
        let proxies = Proxies { networks: networks.to_vec(), header };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        match proxies.client(peer.parse().unwrap(), &headers) {
            Client::At(address) => address.to_string(),
            Client::OfProxy(proxy) => format!("of {proxy}"),
        }
    }

    #[test]
    fn only_a_proxy_is_believed() {
        use ProxyHeader::XForwardedFor;
        let xff = "x-forwarded-for";
        let of = |peer: &str, value: &str| client(XForwardedFor, peer, &[(xff, value)]);
        assert_eq!(of("192.0.2.9", "198.51.100.1"), "192.0.2.9");
        assert_eq!(of("10.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(of("::ffff:10.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(of("2001:db8:ffff::1", "[2001:db8::1]:99"), "2001:db8::1");
        // What the client wrote itself stands before what the proxy saw.
        assert_eq!(of("10.0.0.1", "203.0.113.7, 198.51.100.1"), "198.51.100.1");
        // A chain of proxies.
        assert_eq!(of("10.0.0.1", "203.0.113.7, 198.51.100.1, 10.2.3.4"), "198.51.100.1");
        assert_eq!(of("10.0.0.1", "10.9.9.9"), "10.9.9.9");
        for unreadable in ["", "unknown", "198.51.100.1, _hidden", "198.51.100.1,"] {
            assert_eq!(of("10.0.0.1", unreadable), "of 10.0.0.1", "{unreadable}");
        }
        let two = [(xff, "203.0.113.7"), (xff, "198.51.100.1")];
        assert_eq!(client(XForwardedFor, "10.0.0.1", &two), "198.51.100.1");
        // The header that our proxies do not write is the client's own.
        let other = [("forwarded", "for=203.0.113.7")];
        assert_eq!(client(XForwardedFor, "10.0.0.1", &other), "of 10.0.0.1");
        assert_eq!(client(XForwardedFor, "10.0.0.1", &[]), "of 10.0.0.1");
        assert_eq!(of("10.0.0.1", "unknown, 10.2.3.4"), "of 10.2.3.4");
    }

    #[test]
    fn the_standard_header_is_read_as_its_rfc_has_it() {
        let of = |value: &str| client(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]);
        assert_eq!(of("for=198.51.100.1"), "198.51.100.1");
        assert_eq!(of("proto=https;For=\"198.51.100.1:4711\";by=10.0.0.1"), "198.51.100.1");
        assert_eq!(of("for=\"[2001:db8::1]:99\""), "2001:db8::1");
        assert_eq!(of("for=203.0.113.7, for=198.51.100.1;proto=http"), "198.51.100.1");
        for unreadable in ["for=unknown", "for=_x", "proto=http", "for=1.2.3.4;for=5.6.7.8"] {
            assert_eq!(of(unreadable), "of 10.0.0.1", "{unreadable}");
        }
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_source() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
