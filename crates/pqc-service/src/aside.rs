//! Work that takes long is done aside: on threads of its own, which yield to those that serve short
//! calls, so that it holds none of these up. Alone, it has the whole machine all the same.

use tokio::sync::Semaphore;

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
    // Held by the work itself, which nobody takes back once it waits for its thread.
    let place = ASIDE.acquire().await.map_err(|_| Error::Internal { what: "the places aside" })?;
    let aside = move || {
        yield_to_others();
        let done = work();
        drop(place);
        done
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
        // 19 is the lowest that there is.
        if let Ok(own) = rustix::process::getpriority_process(None) {
            let _ = rustix::process::setpriority_process(None, own.saturating_add(NICE).min(19));
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}

/// So much long work is done at a time: enough for any machine's processors, and for a thread that
/// waits for memory.
static ASIDE: Semaphore = Semaphore::const_new(256);

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

    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_lower_than_what_the_thread_had() {
        let lowered = |own| {
            let thread = std::thread::spawn(move || {
                rustix::process::setpriority_process(None, own).unwrap();
                yield_to_others();
                yield_to_others();
                rustix::process::getpriority_process(None).unwrap()
            });
            thread.join().unwrap()
        };
        assert_eq!(lowered(15), 19);
        assert_eq!(lowered(8), 18);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        let result = aside_if(true, || panic!("on purpose")).await;
        assert!(matches!(result, Err(Error::Internal { .. })));
    }
}
