use std::task::Waker;

use futures_util::stream::poll_fn;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Patience = Patience {
    first_request: Duration::from_secs(10),
    idle: Duration::from_secs(60),
    answer: Duration::from_secs(30),
    ending: SECOND,
};

#[test]
fn a_body_that_is_waited_for_is_not_the_clients_delay() {
    let activity = Arc::new(Activity::new(Instant::now(), PATIENCE));
    let running = Arc::new(activity.begin());
    running.answer_is_ready();
    let mut is_first = true;
    let body = Body::from_stream(poll_fn(move |_| match std::mem::take(&mut is_first) {
        true => Poll::Pending,
        false => Poll::Ready(Some(Ok::<_, Infallible>(Bytes::from_static(b"x")))),
    }));
    let rest = Bytes::new();
    let mut answer = Tracking { body, rest, makes_room: false, is_waiting: false, running };
    let mut poll = || {
        let answer = Pin::new(&mut answer);
        http_body::Body::poll_frame(answer, &mut Context::from_waker(Waker::noop()))
    };
    let late = Instant::now() + SECOND * 31;
    assert!(poll().is_pending());
    assert_eq!(activity.judge(late, None), Verdict::Goes);
    assert!(matches!(poll(), Poll::Ready(Some(Ok(_)))));
    assert_eq!(activity.judge(late, None), Verdict::Cut("an answer was not taken"));
}

#[test]
fn a_connection_has_to_send_a_request_and_then_another() {
    let start = Instant::now();
    let activity = Arc::new(Activity::new(start, PATIENCE));
    let judge = |after: u32| activity.judge(start + SECOND * after, None);
    assert_eq!(judge(9), Verdict::Goes);
    assert_eq!(judge(10), Verdict::Cut("no request came"));
    let running = activity.begin();
    assert_eq!(judge(1000), Verdict::Goes, "a handler may take its time");
    drop(running);
    assert_eq!(judge(59), Verdict::Goes);
    assert_eq!(judge(61), Verdict::Ends);
}

#[test]
fn an_answer_has_to_be_taken_whatever_else_is_asked() {
    let activity = Arc::new(Activity::new(Instant::now(), PATIENCE));
    let first = activity.begin();
    first.answer_is_ready();
    drop(activity.begin());
    let _another = activity.begin();
    let now = Instant::now();
    assert_eq!(activity.judge(now + SECOND * 29, None), Verdict::Goes);
    let late = now + SECOND * 30;
    assert_eq!(activity.judge(late, None), Verdict::Cut("an answer was not taken"));
    (0..PIECES_OF_A_MEBIBYTE).for_each(|_| first.piece_has_left());
    assert_eq!(activity.judge(late, None), Verdict::Goes, "the next mebibyte has its own time");
    assert_ne!(activity.judge(late + SECOND * 30, None), Verdict::Goes);
    drop(first);
    assert_eq!(activity.judge(late + SECOND * 30, None), Verdict::Goes);
}

#[tokio::test]
async fn a_call_is_carried_through_when_nobody_waits() {
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (done, is_done) = tokio::sync::oneshot::channel();
    let senders = Arc::new(Mutex::new(Some((begun, done))));
    let app = tower::service_fn(move |_: Request<Body>| {
        let senders = Arc::clone(&senders);
        async move {
            let (begun, done) = senders.lock().unwrap().take().unwrap();
            begun.send(()).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            done.send(()).unwrap();
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    tokio::select! {
        _ = Carried::through(app.oneshot(Request::new(Body::empty()))) => panic!("it waits"),
        begun = has_begun => begun.unwrap(),
    }
    is_done.await.unwrap();
}

#[tokio::test]
async fn one_that_was_not_begun_is_carried_through_too_and_one_that_panics_is_not() {
    let (done, is_done) = tokio::sync::oneshot::channel();
    drop(Carried::through(async move { done.send(()).unwrap() }));
    is_done.await.unwrap();

    let polls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&polls);
    let panics = std::future::poll_fn(move |_| -> Poll<()> {
        *counted.lock().unwrap() += 1;
        panic!("in a call")
    });
    let broken = tokio::spawn(Carried::through(panics)).await.unwrap_err();
    assert!(broken.is_panic());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(*polls.lock().unwrap(), 1);
}

#[test]
fn one_that_is_to_end_is_left_its_requests_and_little_more() {
    let start = Instant::now();
    let activity = Arc::new(Activity::new(start, PATIENCE));
    let judge = |after| activity.judge(start + after, Some(start));
    assert_eq!(judge(SECOND / 2), Verdict::Goes);
    assert_eq!(judge(SECOND), Verdict::Cut("it did not end"));
    let running = activity.begin();
    assert_eq!(judge(SECOND * 20), Verdict::Goes);
    drop(running);
    assert_eq!(judge(SECOND * 2), Verdict::Cut("it did not end"));
}
