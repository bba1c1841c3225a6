//! A month of usage, in UTC.

use std::fmt;

use jiff::civil::Date;
use pqc_core::Timestamp;
use pqc_service::usage::Day;

/// A month; its text is as `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(Date);

impl Month {
    /// That of this time.
    pub(super) fn of(now: Timestamp) -> Self {
        let day = Day::of(now).first_of_month().to_string();
        Self(day.parse().unwrap_or_default())
    }

    /// Reads the text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let date: Date = format!("{text}-01").parse().ok()?;
        let month = Self(date);
        (month.to_string() == text).then_some(month)
    }

    /// The one before it; `None` at the beginning of time.
    pub(super) fn before(self) -> Option<Self> {
        self.0.yesterday().ok().map(|day| Self(day.first_of_month()))
    }

    /// The one after it.
    pub(super) fn after(self) -> Option<Self> {
        self.0.last_of_month().tomorrow().ok().map(Self)
    }

    /// How many days it has.
    pub(super) fn days(self) -> u8 {
        u8::try_from(self.0.days_in_month()).unwrap_or_default()
    }

    /// Its first day and its last.
    pub(super) fn ends(self) -> Option<(Day, Day)> {
        let day = |date: Date| date.to_string().parse().ok();
        day(self.0).zip(day(self.0.last_of_month()))
    }

    /// For people.
    pub(super) fn name(self) -> String {
        self.0.strftime("%B %Y").to_string()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other() {
        let month = Month::of(Timestamp::from_seconds(1_709_210_096));
        assert_eq!((month.to_string(), month.name()), ("2024-02".into(), "February 2024".into()));
        assert_eq!(month.days(), 29);
        assert_eq!(month.before().unwrap().to_string(), "2024-01");
        assert_eq!(month.before().and_then(Month::before).unwrap().to_string(), "2023-12");
        assert_eq!(month.after().unwrap().to_string(), "2024-03");
        let (first, last) = month.ends().unwrap();
        assert_eq!(
            (first.to_string(), last.to_string()),
            ("2024-02-01".into(), "2024-02-29".into())
        );
        assert_eq!(Month::parse("2024-02"), Some(month));
        for none in ["", "2024", "2024-13", "2024-2", "2024-02-01", "x"] {
            assert_eq!(Month::parse(none), None, "{none}");
        }
        assert_eq!(Month::parse("9999-12").unwrap().after(), None);
    }
}
