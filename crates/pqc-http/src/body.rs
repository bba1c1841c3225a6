//! Bodies in memory: received within a limit and a time, counted under one ceiling, wiped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::Body as _;
use http_body_util::BodyExt;
use pqc_core::secret::Wiped;
use pqc_service::aside::{LONG_TEXT_BYTES, aside_if};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::problem::{Attempt, Problem, Unavailable};

/// The count of all bytes of bodies in memory, and what it may reach. A clone shares the count.
#[derive(Debug, Clone)]
pub(crate) struct Ceiling {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Ceiling {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// The count now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn room(&self) -> Room {
        Room { used: Arc::clone(&self.used), limit: self.limit, held: 0 }
    }
}

/// The bytes that one call holds under the ceiling; given back on drop.
#[derive(Debug)]
pub(crate) struct Room {
    used: Arc<AtomicUsize>,
    limit: usize,
    held: usize,
}

impl Room {
    /// Takes room for `bytes` more of a request, if the ceiling leaves it. Long bodies leave a
    /// part of it to short ones, so that a few long ones do not stop every call.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let long = self.held.saturating_add(bytes) > LONG_TEXT_BYTES;
        let limit = if long { self.limit - self.limit / SHARE_OF_SHORT_BODIES } else { self.limit };
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => {
                self.held += bytes;
                Ok(())
            }
            Err(_) => {
                Err(Problem::Unavailable { reason: Unavailable::Memory, attempt: Attempt::Kept })
            }
        }
    }

    /// Gives back all but `bytes`.
    fn shrink(&mut self, bytes: usize) {
        let over = self.held.saturating_sub(bytes);
        self.used.fetch_sub(over, Ordering::AcqRel);
        self.held -= over;
    }

    /// An answer's bytes, which hold room until they are sent, and are wiped then. They are due,
    /// so it is those who come later that are refused.
    pub(crate) fn keep(mut self, answer: Wiped<Vec<u8>>) -> Bytes {
        let length = answer.len();
        self.shrink(length);
        self.used.fetch_add(length - self.held, Ordering::AcqRel);
        self.held = length;
        Bytes::from_owner(Kept(answer, self))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

struct Kept(Wiped<Vec<u8>>, #[expect(dead_code, reason = "held, not read")] Room);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Kept {
    /// Wiping a long answer takes milliseconds, and it is a connection's task that drops it.
    fn drop(&mut self) {
        if self.0.len() > LONG_TEXT_BYTES
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let answer = std::mem::take(&mut self.0);
            runtime.spawn_blocking(move || drop(answer));
        }
    }
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    /// For each mebibyte that is begun.
    pub(crate) each_mebibyte: Duration,
    /// For all of it.
    pub(crate) due: Instant,
}

/// Receives a body of at most `limit` bytes within its time. It takes room for what has come, not
/// for what was announced.
pub(crate) async fn receive(
    body: &mut Body,
    limit: usize,
    Time { each_mebibyte, due }: Time,
    room: &mut Room,
) -> Result<Wiped<Vec<u8>>, Problem> {
    let too_large = Problem::BodyTooLarge { limit };
    let most = match body.size_hint().exact().map(usize::try_from) {
        Some(Ok(announced)) if announced <= limit => announced,
        Some(_) => return Err(too_large),
        None => limit,
    };
    let mut deadline = Instant::now() + each_mebibyte;
    let mut received = Wiped::new(Vec::new());
    let before = room.held;
    while let Some(frame) =
        timeout_at(deadline.min(due), body.frame()).await.map_err(|_| Problem::SlowBody)?
    {
        let frame = frame.map_err(|_| Problem::BadRequest("The body broke off."))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let length = received.len().saturating_add(chunk.len());
        if length > limit {
            return Err(too_large);
        }
        let capacity = received.capacity();
        if length > capacity {
            let larger = length.max(capacity.saturating_mul(4)).min(most.max(length));
            room.take(larger)?;
            received = enlarge(received, larger).await?;
            room.shrink(before.saturating_add(larger));
        }
        received.extend_from_slice(&chunk);
        let begun = |size| length / size - (length - chunk.len()) / size;
        for _ in 0..begun(MEBIBYTE) {
            deadline += each_mebibyte;
        }
        // Who sends as fast as it is read would keep the thread to himself.
        if begun(TURN_BYTES) > 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(received)
}

/// Growing by hand, so that the smaller buffer is wiped.
async fn enlarge(smaller: Wiped<Vec<u8>>, capacity: usize) -> Result<Wiped<Vec<u8>>, Problem> {
    off_the_runtime(smaller.len(), move || {
        let mut larger = Wiped::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(&smaller);
        Ok(larger)
    })
    .await
}

/// Reads or writes a text, aside if it is long, so that it holds no other call up.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    aside_if(bytes > LONG_TEXT_BYTES, work).await.map_err(|_| Problem::Internal)?
}

/// Reads on for a while and forgets, so that a client which is still sending can read the refusal
/// instead of a reset connection. Most clients read no answer before they have sent everything. Each
/// takes some memory, so many at a time are not read on for.
pub(crate) async fn discard(mut body: Body) {
    let Ok(_place) = READING_ON.try_acquire() else { return };
    let deadline = Instant::now() + DISCARD_TIME;
    while let Ok(Some(Ok(_))) = timeout_at(deadline, body.frame()).await {}
}

const MEBIBYTE: usize = 1024 * 1024;
/// Of a body, before others come first.
const TURN_BYTES: usize = 256 * 1024;
/// One part in so many of the ceiling is for bodies that are not long.
const SHARE_OF_SHORT_BODIES: usize = 16;
static READING_ON: Semaphore = Semaphore::const_new(1024);
/// A refusal waits for so long.
pub(crate) const DISCARD_TIME: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn within(each_mebibyte: Duration) -> Time {
        Time { each_mebibyte, due: Instant::now() + Duration::from_secs(60) }
    }

    fn body_of(length: usize) -> Body {
        Body::from(vec![b'x'; length])
    }

    async fn receive_with(ceiling: &Ceiling, length: usize, limit: usize) -> Result<Room, Problem> {
        let mut room = ceiling.room();
        let time = within(Duration::from_secs(1));
        receive(&mut body_of(length), limit, time, &mut room).await.map(|_| room)
    }

    #[tokio::test]
    async fn the_ceiling_counts_all_bodies_and_gives_room_back() {
        let ceiling = Ceiling::new(100);
        let first = receive_with(&ceiling, 60, 80).await.unwrap();
        let refused = receive_with(&ceiling, 60, 80).await.unwrap_err();
        assert!(matches!(refused, Problem::Unavailable { reason: Unavailable::Memory, .. }));
        drop(first);
        let again = receive_with(&ceiling, 60, 80).await.unwrap();
        // The answer takes the place of what came.
        let sent = again.keep(Wiped::new(vec![0; 40]));
        assert!(receive_with(&ceiling, 61, 80).await.is_err());
        assert!(receive_with(&ceiling, 60, 80).await.is_ok());
        drop(sent);
        assert!(receive_with(&ceiling, 80, 80).await.is_ok());
        assert_eq!(ceiling.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn long_bodies_leave_a_part_of_the_ceiling_to_short_ones() {
        let ceiling = Ceiling::new(16 * LONG_TEXT_BYTES);
        let mut long = ceiling.room();
        long.take(LONG_TEXT_BYTES + 1).unwrap();
        assert!(long.take(14 * LONG_TEXT_BYTES).is_err());
        long.take(14 * LONG_TEXT_BYTES - 1).unwrap();
        assert!(ceiling.room().take(LONG_TEXT_BYTES + 1).is_err());
        let mut short = ceiling.room();
        short.take(LONG_TEXT_BYTES).unwrap();
        assert!(ceiling.room().take(1).is_err());
        drop(short);
        drop(long);
        assert_eq!(ceiling.used.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let ceiling = Ceiling::new(1000);
        let too_large = Problem::BodyTooLarge { limit: 80 };
        assert_eq!(receive_with(&ceiling, 81, 80).await.unwrap_err(), too_large);
        let chunks = (0..9).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10]));
        let mut stream = Body::from_stream(futures_like(chunks));
        let mut room = ceiling.room();
        let got = receive(&mut stream, 80, within(Duration::from_secs(1)), &mut room).await;
        assert_eq!(got.unwrap_err(), too_large);
    }

    fn futures_like<I: Iterator>(items: I) -> impl futures_core::Stream<Item = I::Item> {
        struct Items<I>(I);
        impl<I> Unpin for Items<I> {}
        impl<I: Iterator> futures_core::Stream for Items<I> {
            type Item = I::Item;
            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<I::Item>> {
                std::task::Poll::Ready(self.0.next())
            }
        }
        Items(items)
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_refused_in_time() {
        struct Never;
        impl futures_core::Stream for Never {
            type Item = Result<Vec<u8>, std::io::Error>;
            fn poll_next(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                std::task::Poll::Pending
            }
        }
        let ceiling = Ceiling::new(1000);
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(3600));
        for time in [within(short), Time { each_mebibyte: long, due: Instant::now() + short }] {
            let got = receive(&mut Body::from_stream(Never), 80, time, &mut ceiling.room()).await;
            assert_eq!(got.unwrap_err(), Problem::SlowBody);
        }
    }
}
