//! The time, as the caller says it is.

/// Milliseconds since 1970-01-01T00:00:00Z. The core never asks a clock.
///
/// ```
/// use pqc_core::Timestamp;
/// let now = Timestamp::from_millis(1_500);
/// assert_eq!((now.millis(), now.seconds()), (1_500, 1));
/// assert_eq!(now.plus_seconds(2), Timestamp::from_millis(3_500));
/// assert!(now < Timestamp::from_seconds(2));
/// // Far too late is the end of time, not a time long past.
/// assert_eq!(now.plus_seconds(u64::MAX), Timestamp::from_millis(u64::MAX));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    #[expect(clippy::integer_division_remainder_used, reason = "time is public")]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This time plus `seconds`; saturates at the end of time.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}
