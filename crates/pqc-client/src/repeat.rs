//! Which calls are repeated, after what, and how long after: the table of the crate's first page.

use std::time::Duration;

use crate::error::Error;
use crate::refusal::Attempt;

/// What it is to make a call twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It costs nothing and changes nothing.
    Free,
    /// Under the same `Idempotency-Key` it has the first answer.
    Keyed,
    /// It spends an attempt, or leaves a line in the log, once more.
    Spends,
}

impl Repeat {
    /// How long to wait before the call is made again, after it was made `made` times; `None`: it is
    /// not. `random` is any number.
    pub(crate) fn after(self, error: &Error, made: u32, random: u64) -> Option<Duration> {
        if made >= MOST_CALLS || !self.is_safe_after(error) {
            return None;
        }
        let step = FIRST_STEP.saturating_mul(1 << made.saturating_sub(1).min(8));
        // From a half to the whole of it, so that those who failed together come apart.
        let half = u64::try_from(step.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        let wait =
            Duration::from_millis(half.saturating_add(random.checked_rem(half).unwrap_or(0)));
        let asked = match error {
            Error::Refused(refusal) => refusal.retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        Some(asked.saturating_add(wait))
    }

    fn is_safe_after(self, error: &Error) -> bool {
        match error {
            Error::Refused(refusal) => match (refusal.status, refusal.attempt) {
                (429 | 503, Attempt::Kept) => true,
                (429 | 502..=504, _) => self != Self::Spends,
                (409, _) => self == Self::Keyed,
                _ => false,
            },
            Error::Connection { attempt: Attempt::Kept, .. } => true,
            Error::Connection { .. } => self != Self::Spends,
            _ => false,
        }
    }
}

/// The first time and three more.
const MOST_CALLS: u32 = 4;
const FIRST_STEP: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Refusal;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    fn refused(status: u16, attempt: Attempt) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal::read(status, &HeaderMap::new(), b"");
        Error::Refused(Box::new(Refusal { attempt, ..refusal }))
    }

    fn broken(attempt: Attempt) -> Error {
        Error::Connection { attempt, cause: "it".into() }
    }

    #[test]
    fn the_table_holds() {
        use Attempt::{Kept, Spent, Unknown};
        for (error, free, keyed, spends) in [
            (broken(Kept), true, true, true),
            (broken(Unknown), true, true, false),
            (refused(429, Kept), true, true, true),
            (refused(429, Unknown), true, true, false),
            (refused(503, Kept), true, true, true),
            (refused(503, Spent), true, true, false),
            (refused(503, Unknown), true, true, false),
            (refused(502, Unknown), true, true, false),
            (refused(504, Unknown), true, true, false),
            (refused(409, Kept), false, true, false),
            (refused(500, Unknown), false, false, false),
            (refused(408, Kept), false, false, false),
            (refused(401, Kept), false, false, false),
            (refused(403, Kept), false, false, false),
            (refused(422, Spent), false, false, false),
            (Error::Tls { cause: "it".into() }, false, false, false),
            (Error::NotUnderstood { path: "/", why: "it" }, false, false, false),
        ] {
            for (repeat, expected) in
                [(Repeat::Free, free), (Repeat::Keyed, keyed), (Repeat::Spends, spends)]
            {
                assert_eq!(repeat.after(&error, 1, 0).is_some(), expected, "{repeat:?} {error:?}");
            }
        }
    }

    #[test]
    fn waits_grow_have_an_end_and_heed_the_server() {
        let millis = |made, random| {
            let wait = Repeat::Free.after(&broken(Attempt::Kept), made, random);
            wait.map(|wait| wait.as_millis())
        };
        assert_eq!([1, 2, 3].map(|made| millis(made, 0)), [Some(100), Some(200), Some(400)]);
        assert_eq!(millis(1, 99), Some(199));
        assert!(millis(1, u64::MAX).unwrap() < 200);
        assert_eq!(millis(4, 0), None);

        let Error::Refused(mut refusal) = refused(503, Attempt::Kept) else { panic!("refused") };
        refusal.retry_after = Some(Duration::from_secs(2));
        let wait = Repeat::Spends.after(&Error::Refused(refusal), 1, 0).unwrap();
        assert_eq!(wait, Duration::from_millis(2100));
    }
}
