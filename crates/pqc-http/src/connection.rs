//! One connection: served until it ends, or cut when it holds its place for nothing.
//!
//! Whoever connects needs no token for it, so a connection has to earn its place: by a request
//! within a time, and by taking the answer within a time. The connection is looked at once in a
//! while, in any state that it can be in, also before its version of HTTP is known.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::app::HttpService;

/// How long a connection may do nothing for us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until the head of its first request has arrived.
    pub(crate) first_request: Duration,
    /// Between requests.
    pub(crate) idle: Duration,
    /// Until an answer has left: so long for each mebibyte of it that is begun.
    pub(crate) answer: Duration,
    /// Without a request once the connection is to end.
    pub(crate) ending: Duration,
}

/// Whose connection a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves a connection of that peer, which is there since then, to its end; once `draining` says so, no longer than for what runs on it.
pub(crate) async fn serve<S: HttpService>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (peer, since): (Peer, Instant),
    builder: &Builder<TokioExecutor>,
    app: S,
    patience: Patience,
    mut draining: watch::Receiver<bool>,
) {
    let activity = Arc::new(Activity::new(since, patience));
    let service = Tracked { app, peer, activity: Arc::clone(&activity) };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut look = tokio::time::interval(patience.between_looks());
    let mut ending_since = None;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke off");
                }
                return;
            }
            _ = draining.wait_for(|draining| *draining), if ending_since.is_none() => {}
            _ = look.tick() => match activity.judge(Instant::now(), ending_since) {
                Verdict::Goes => continue,
                Verdict::Ends => {}
                Verdict::Cut(why) => {
                    tracing::debug!(why, "cutting a connection");
                    return;
                }
            },
        }
        connection.as_mut().graceful_shutdown();
        ending_since = Some(Instant::now());
    }
}

impl Patience {
    fn between_looks(&self) -> Duration {
        let shortest = self.first_request.min(self.idle).min(self.answer).min(self.ending);
        (shortest / 4).clamp(Duration::from_millis(1), Duration::from_secs(1))
    }
}

/// What goes on on one connection.
#[derive(Debug)]
struct Activity {
    state: Mutex<State>,
    patience: Patience,
}

#[derive(Debug)]
struct State {
    /// The requests that came and whose answers have not left, with the time by which the next
    /// piece of an answer is due to leave.
    running: BTreeMap<u64, Option<Instant>>,
    /// How many requests ever came.
    requests: u64,
    /// Since when none has been running.
    quiet_since: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Goes,
    /// It is to end in good order.
    Ends,
    Cut(&'static str),
}

impl Activity {
    fn new(now: Instant, patience: Patience) -> Self {
        let state = State { running: BTreeMap::new(), requests: 0, quiet_since: now };
        Self { state: Mutex::new(state), patience }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>) -> Running {
        let mut state = self.state();
        state.requests += 1;
        let number = state.requests;
        state.running.insert(number, None);
        Running { activity: Arc::clone(self), number }
    }

    fn judge(&self, now: Instant, ending_since: Option<Instant>) -> Verdict {
        let (state, patience) = (self.state(), &self.patience);
        let for_long = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if state.running.values().flatten().any(|due| *due <= now) {
            return Verdict::Cut("an answer was not taken");
        }
        if !state.running.is_empty() {
            return Verdict::Goes;
        }
        match ending_since {
            Some(ending) if for_long(ending.max(state.quiet_since), patience.ending) => {
                Verdict::Cut("it did not end")
            }
            None if state.requests == 0 && for_long(state.quiet_since, patience.first_request) => {
                Verdict::Cut("no request came")
            }
            None if for_long(state.quiet_since, patience.idle) => Verdict::Ends,
            _ => Verdict::Goes,
        }
    }
}

/// A request that came, until the last byte of its answer has left or it is given up.
#[derive(Debug)]
struct Running {
    activity: Arc<Activity>,
    number: u64,
}

impl Running {
    fn answer_is_ready(&self) {
        if let Some(due) = self.activity.state().running.get_mut(&self.number) {
            *due = Instant::now().checked_add(self.activity.patience.answer);
        }
    }

    fn answer_is_not_ready(&self) {
        if let Some(due) = self.activity.state().running.get_mut(&self.number) {
            *due = None;
        }
    }

    fn piece_has_left(&self) {
        if let Some(Some(due)) = self.activity.state().running.get_mut(&self.number) {
            *due += self.activity.patience.answer / PIECES_OF_A_MEBIBYTE;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.running.remove(&self.number);
        if state.running.is_empty() {
            state.quiet_since = Instant::now();
        }
    }
}

/// The application, on one connection.
struct Tracked<S> {
    app: S,
    peer: Peer,
    activity: Arc<Activity>,
}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for Tracked<S> {
    type Response = Response<Tracking>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let running = Arc::new(self.activity.begin());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        let answer = Carried::through(self.app.clone().oneshot(request));
        Box::pin(async move {
            let response = answer.await?;
            running.answer_is_ready();
            Ok(response.map(|body| Tracking {
                body,
                rest: Bytes::new(),
                makes_room: false,
                is_waiting: false,
                running,
            }))
        })
    }
}

/// A call that goes on in a task of its own when it is dropped (within a runtime): a client that goes away stops none
/// halfway, which may have changed something and would have no line in the log.
struct Carried<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F: Future<Output: Send> + Send + 'static> Carried<F> {
    fn through(call: F) -> Self {
        Self(Some(Box::pin(call)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Carried<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Not left in its place: one that panics is not to go on.
        let Some(mut call) = self.0.take() else { return Poll::Pending };
        let polled = call.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(call);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Carried<F> {
    fn drop(&mut self) {
        if let (Some(call), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(call);
        }
    }
}

/// The body of an answer, in pieces. Each of them keeps the request running until it is dropped,
/// which the HTTP library does once the piece is written.
struct Tracking {
    body: Body,
    /// What is not in a piece yet.
    rest: Bytes,
    /// Whether others come first: a whole piece was given.
    makes_room: bool,
    /// Whether the body had nothing ready when it was last asked.
    is_waiting: bool,
    running: Arc<Running>,
}

impl http_body::Body for Tracking {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Who takes a long answer as fast as it comes would keep the thread to himself.
        if std::mem::take(&mut self.makes_room) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                // It is not the client who is waited for.
                self.running.answer_is_not_ready();
                self.is_waiting = true;
                return Poll::Pending;
            };
            if std::mem::take(&mut self.is_waiting) {
                self.running.answer_is_ready();
            }
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let bytes = self.rest.split_to(length);
        self.makes_room = length == PIECE_BYTES;
        let piece = Bytes::from_owner(Piece { bytes, running: Arc::clone(&self.running) });
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = self.body.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

struct Piece {
    bytes: Bytes,
    running: Arc<Running>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.bytes.len() == PIECE_BYTES {
            self.running.piece_has_left();
        }
    }
}

const PIECE_BYTES: usize = 256 * 1024;
const PIECES_OF_A_MEBIBYTE: u32 = 4;

#[cfg(test)]
mod tests;
