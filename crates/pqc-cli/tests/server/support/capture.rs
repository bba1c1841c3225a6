//! What a process writes, while it still writes.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::PATIENCE;

/// The output of a process so far.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

impl Capture {
    /// Reads `source` on a thread, to its end.
    pub(crate) fn of(mut source: impl Read + Send + 'static) -> Self {
        let capture = Self::default();
        let writer = capture.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                let count = source.read(&mut buffer).unwrap_or(0);
                let (written, changed) = &*writer.0;
                let mut written = written.lock().unwrap();
                written.bytes.extend_from_slice(&buffer[..count]);
                written.ended = count == 0;
                changed.notify_all();
                if count == 0 {
                    break;
                }
            }
        });
        capture
    }

    /// Waits for `needle`; gives `false` if the output ends without it.
    pub(crate) fn wait_for(&self, needle: &str) -> bool {
        self.wait(|written| contains(&written.bytes, needle.as_bytes()));
        contains(&self.0.0.lock().unwrap().bytes, needle.as_bytes())
    }

    /// Waits for the end, and gives everything.
    pub(crate) fn all(&self) -> Vec<u8> {
        self.wait(|_| false);
        self.0.0.lock().unwrap().bytes.clone()
    }

    /// What is there now.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }

    fn wait(&self, enough: impl Fn(&Written) -> bool) {
        let (written, changed) = &*self.0;
        let end = Instant::now() + PATIENCE;
        let mut written = written.lock().unwrap();
        while !written.ended && !enough(&written) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for output");
            written = changed.wait_timeout(written, left).unwrap().0;
        }
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
