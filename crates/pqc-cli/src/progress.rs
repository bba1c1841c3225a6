//! How far a long verb is: a bar with rate and time left where stderr is a terminal, silence
//! elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for what is read; `length` is that of all of it, where it is known.
pub(crate) fn bar(length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{percent:>3}% {wide_bar} {binary_bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::no_length(), "{binary_bytes} {spinner} {binary_bytes_per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
