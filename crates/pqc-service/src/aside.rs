//! Work that takes long is done aside: on threads of its own, which yield to those that serve short
//! calls, so that it holds none of these up. Alone, it has the whole machine all the same.

use crate::error::Error;

/// Longer texts are read, written, encrypted and wiped aside: about 30 µs of AES-256-GCM.
pub const LONG_TEXT_BYTES: usize = 64 * 1024;

/// Does `work` here, or aside if it takes long.
///
/// # Errors
/// [`Error::Internal`]: the thread came to nothing.
pub async fn aside_if<T: Send + 'static>(
    takes_long: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if !takes_long {
        return Ok(work());
    }
    let aside = move || {
        yield_to_others();
        work()
    };
    let done = tokio::task::spawn_blocking(aside).await;
    done.map_err(|_| Error::Internal { what: "a worker thread" })
}

/// Lowers the priority of this thread, once; Linux has one for each thread. Where that is not to be
/// had, the work goes on as it is.
#[cfg(target_os = "linux")]
fn yield_to_others() {
    use std::cell::Cell;

    thread_local!(static YIELDS: Cell<bool> = const { Cell::new(false) });
    if !YIELDS.replace(true) {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}

/// A tenth of the weight of a thread that has none.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn long_work_has_a_lower_priority_and_short_work_none() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        assert_eq!(aside_if(true, priority).await.unwrap(), (before + NICE).min(19));
        assert_eq!(aside_if(false, priority).await.unwrap(), before);
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        #[expect(clippy::panic, reason = "what is tested")]
        let result = aside_if(true, || panic!("on purpose")).await;
        assert!(matches!(result, Err(Error::Internal { .. })));
    }
}
