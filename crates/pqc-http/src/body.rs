//! Bodies in memory: received within a limit and a time, counted under one ceiling, wiped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::problem::{Attempt, Problem, Unavailable};

/// The count of all bytes of bodies in memory, and what it may reach.
#[derive(Debug)]
pub(crate) struct Ceiling {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Ceiling {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::new(AtomicUsize::new(0)), limit }
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
    /// Takes room for `bytes` of a request, if the ceiling leaves it.
    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
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

    /// Counts `bytes` of an answer: it is due, so it is those who come later that are refused.
    fn count(&mut self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        self.held += bytes;
    }

    /// An answer's bytes, which hold this room until they are sent, and are wiped then.
    pub(crate) fn keep(mut self, answer: Zeroizing<Vec<u8>>) -> Bytes {
        struct Kept(Zeroizing<Vec<u8>>, #[expect(dead_code, reason = "held, not read")] Room);
        impl AsRef<[u8]> for Kept {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        self.count(answer.len());
        Bytes::from_owner(Kept(answer, self))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.held, Ordering::AcqRel);
    }
}

/// Receives a body of at most `limit` bytes within `time`.
pub(crate) async fn receive(
    body: &mut Body,
    limit: usize,
    time: Duration,
    room: &mut Room,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let too_large = Problem::BodyTooLarge { limit };
    let announced = body.size_hint().exact().map(usize::try_from);
    let expected = match announced {
        Some(Ok(length)) if length <= limit => length,
        Some(_) => return Err(too_large),
        None => 0,
    };
    room.take(expected)?;
    let deadline = Instant::now() + time;
    let mut received = Zeroizing::new(Vec::with_capacity(expected));
    while let Some(frame) =
        timeout_at(deadline, body.frame()).await.map_err(|_| Problem::SlowBody)?
    {
        let frame = frame.map_err(|_| Problem::BadRequest("The body broke off."))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let length = received.len().saturating_add(chunk.len());
        if length > limit {
            return Err(too_large);
        }
        if length > expected {
            room.take(chunk.len())?;
        }
        if length > received.capacity() {
            // Growing by hand, so that the smaller buffer is wiped.
            let mut larger =
                Zeroizing::new(Vec::with_capacity(length.saturating_mul(2).min(limit)));
            larger.extend_from_slice(&received);
            received = larger;
        }
        received.extend_from_slice(&chunk);
    }
    Ok(received)
}

/// Reads on for a while and forgets, so that a client which is still sending can read the refusal
/// instead of a reset connection.
pub(crate) async fn discard(mut body: Body) {
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut left = 4 * 1024 * 1024_usize;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(length: usize) -> Body {
        Body::from(vec![b'x'; length])
    }

    async fn receive_with(ceiling: &Ceiling, length: usize, limit: usize) -> Result<Room, Problem> {
        let mut room = ceiling.room();
        let time = Duration::from_secs(1);
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
        let sent = again.keep(Zeroizing::new(vec![0; 40]));
        assert!(receive_with(&ceiling, 1, 80).await.is_err());
        drop(sent);
        assert!(receive_with(&ceiling, 80, 80).await.is_ok());
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
        let got = receive(&mut stream, 80, Duration::from_secs(1), &mut room).await;
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
        let time = Duration::from_millis(20);
        let got = receive(&mut Body::from_stream(Never), 80, time, &mut ceiling.room()).await;
        assert_eq!(got.unwrap_err(), Problem::SlowBody);
    }
}
