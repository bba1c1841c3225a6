//! How often one may call: by address, by token, and with tokens that are not accepted.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use pqc_core::TokenId;

use crate::client::Source;
use crate::problem::{Problem, TooMany};

/// The rates; `None`: as often as anyone likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateConfig {
    /// Calls in a second by one address; as many may come at once.
    pub address: Option<NonZeroU32>,
    /// Calls in a second by one token; as many may come at once.
    pub token: Option<NonZeroU32>,
    /// Calls in a minute by one address whose token is not accepted. Who makes more is not listened
    /// to until that many are over.
    pub refused: Option<NonZeroU32>,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self { address: NonZeroU32::new(1000), token: None, refused: NonZeroU32::new(60) }
    }
}

/// What was done of late.
#[derive(Debug)]
pub(crate) struct Rates {
    address: Option<Limiter<Source>>,
    token: Option<Limiter<TokenId>>,
    refused: Option<Limiter<Source>>,
    /// Those who are not listened to, and until when.
    shut_out: Mutex<HashMap<Source, Instant>>,
    /// When it was last said that a proxy does not name its clients.
    warned_at: Mutex<Option<Instant>>,
}

impl Rates {
    pub(crate) fn new(config: RateConfig) -> Self {
        Self {
            address: config.address.map(|rate| Limiter::new(Quota::per_second(rate), rate, 1)),
            token: config.token.map(|rate| Limiter::new(Quota::per_second(rate), rate, 1)),
            refused: config.refused.map(|rate| Limiter::new(Quota::per_minute(rate), rate, 60)),
            shut_out: Mutex::default(),
            warned_at: Mutex::default(),
        }
    }

    /// Counts a call by its address.
    pub(crate) fn call_from(&self, source: Source) -> Result<(), Problem> {
        if self.refused.is_some()
            && let Some(until) = self.shut_out().get(&source)
        {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(TooMany::refused(left).into());
            }
        }
        match &self.address {
            Some(limiter) => {
                limiter.count(&source).map(drop).map_err(|left| TooMany::of_address(left).into())
            }
            None => Ok(()),
        }
    }

    /// Says, now and then, that a proxy does not name its clients.
    pub(crate) fn warn_of_nameless(&self, proxy: IpAddr) {
        let mut warned_at = self.warned_at.lock().unwrap_or_else(PoisonError::into_inner);
        if warned_at.is_none_or(|at| at.elapsed() >= BETWEEN_WARNINGS) {
            *warned_at = Some(Instant::now());
            tracing::warn!(
                %proxy,
                "a trusted proxy does not say for whom it calls (proxy_header names the header): all \
                 such calls of it share the limits of one address"
            );
        }
    }

    /// Counts a call whose token was not accepted.
    pub(crate) fn refused_from(&self, source: Source) {
        let Some(limiter) = &self.refused else { return };
        if let Err(left) = limiter.count(&source)
            && let Some(until) = Instant::now().checked_add(left)
        {
            self.shut_out().insert(source, until);
        }
    }

    /// Counts a call by its token; what is left to it goes into its answer.
    pub(crate) fn call_by(&self, token: TokenId) -> Result<Option<Standing>, Problem> {
        let Some(limiter) = &self.token else { return Ok(None) };
        match limiter.count(&token) {
            Ok(left) => Ok(Some(limiter.standing(left, Duration::ZERO))),
            Err(wait) => Err(TooMany::of_token(wait, limiter.standing(0, wait)).into()),
        }
    }

    /// Forgets those who have not called for long, so that many who call once fill no memory.
    pub(crate) fn forget(&self) {
        for limiter in [&self.address, &self.refused].into_iter().flatten() {
            limiter.forget();
        }
        if let Some(limiter) = &self.token {
            limiter.forget();
        }
        let now = Instant::now();
        self.shut_out().retain(|_, until| *until > now);
    }

    fn shut_out(&self) -> MutexGuard<'_, HashMap<Source, Instant>> {
        self.shut_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a token stands, for the headers `RateLimit` and `RateLimit-Policy`
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    most: u32,
    window: u32,
    left: u32,
    wait: u64,
}

impl Standing {
    /// Of a token that has to wait, for the documentation.
    pub(crate) const EXAMPLE: Self = Self { most: 100, window: 1, left: 0, wait: 1 };

    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let Self { most, window, left, wait } = self;
        for (name, value) in [
            (RATE_LIMIT_POLICY, format!("\"token\";q={most};w={window}")),
            (RATE_LIMIT, format!("\"token\";r={left};t={wait}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

/// Seconds, rounded up: who comes back then is let in.
pub(crate) fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1)
}

/// One rate for many.
#[derive(Debug)]
struct Limiter<K: Hash + Eq + Clone> {
    state: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
    most: u32,
    window: u32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(quota: Quota, rate: NonZeroU32, window: u32) -> Self {
        let state = RateLimiter::keyed(quota).with_middleware();
        Self { state, clock: DefaultClock::default(), most: rate.get(), window }
    }

    /// How many are left, or else how long until the next.
    fn count(&self, key: &K) -> Result<u32, Duration> {
        match self.state.check_key(key) {
            Ok(snapshot) => Ok(snapshot.remaining_burst_capacity()),
            Err(not_until) => Err(not_until.wait_time_from(self.clock.now())),
        }
    }

    fn standing(&self, left: u32, wait: Duration) -> Standing {
        let wait = if left == 0 { seconds(wait) } else { 0 };
        Standing { most: self.most, window: self.window, left, wait }
    }

    fn forget(&self) {
        self.state.retain_recent();
        self.state.shrink_to_fit();
    }
}

const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(address: u32, token: u32, refused: u32) -> Rates {
        let [address, token, refused] = [address, token, refused].map(NonZeroU32::new);
        Rates::new(RateConfig { address, token, refused })
    }

    fn source(n: u8) -> Source {
        Source::from(IpAddr::from([192, 0, 2, n]))
    }

    #[test]
    fn each_address_has_its_own_rate() {
        let rates = rates(3, 0, 0);
        for n in [1, 2] {
            for _ in 0..3 {
                assert!(rates.call_from(source(n)).is_ok());
            }
            let Err(Problem::TooMany(too_many)) = rates.call_from(source(n)) else {
                panic!("not refused")
            };
            assert_eq!(too_many.retry_after(), 1);
        }
    }

    #[test]
    fn each_token_has_its_own_rate_and_is_told() {
        let rates = rates(0, 2, 0);
        let token = |n| TokenId::from_bytes([n; 16]);
        for n in [1, 2] {
            for left in [1, 0] {
                let standing = rates.call_by(token(n)).unwrap().unwrap();
                let mut headers = HeaderMap::new();
                standing.write(&mut headers);
                assert_eq!(headers[RATE_LIMIT_POLICY], "\"token\";q=2;w=1");
                let wait = u32::from(left == 0);
                let limit = format!("\"token\";r={left};t={wait}");
                assert_eq!(headers[RATE_LIMIT], limit);
            }
            assert!(rates.call_by(token(n)).is_err());
        }
        assert_eq!(self::rates(0, 0, 0).call_by(token(1)).unwrap(), None);
    }

    #[test]
    fn who_is_refused_too_often_is_not_listened_to() {
        let rates = rates(0, 0, 2);
        for _ in 0..2 {
            rates.refused_from(source(1));
            assert!(rates.call_from(source(1)).is_ok());
        }
        rates.refused_from(source(1));
        let Err(Problem::TooMany(too_many)) = rates.call_from(source(1)) else {
            panic!("not refused")
        };
        assert!((29..=30).contains(&too_many.retry_after()), "{too_many:?}");
        assert!(rates.call_from(source(2)).is_ok());
        rates.forget();
        assert!(rates.call_from(source(1)).is_err(), "that is not forgotten");
    }
}
