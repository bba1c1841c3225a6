//! The writer over an engine that fails where it is told to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// Keeps only a count of uses, and fails where it is told to.
#[derive(Debug, Default)]
struct FakeEngine(Arc<Fake>);

#[derive(Debug, Default)]
struct Fake {
    fails: std::sync::Mutex<Option<(Step, Failure)>>,
    open: AtomicBool,
    under_way: AtomicU64,
    committed: AtomicU64,
    panics: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Spend,
    Commit,
}

impl Fake {
    fn fail_once(&self, step: Step, failure: Failure) {
        *self.fails.lock().unwrap() = Some((step, failure));
    }

    fn reach(&self, step: Step) -> Result<(), Failure> {
        assert!(!self.panics.load(Ordering::SeqCst));
        let mut fails = self.fails.lock().unwrap();
        match fails.take_if(|(fatal, _)| *fatal == step) {
            Some((_, failure)) => Err(failure),
            None => Ok(()),
        }
    }
}

impl Engine for FakeEngine {
    async fn begin(&mut self) -> Result<Timestamp, Failure> {
        self.0.reach(Step::Begin)?;
        assert!(!self.0.open.swap(true, Ordering::SeqCst), "two transactions at once");
        self.0.under_way.store(0, Ordering::SeqCst);
        Ok(Timestamp::from_millis(0))
    }

    async fn write(&mut self, _: &Write, _: Timestamp) -> Result<Result<u64, Error>, Failure> {
        Ok(Ok(1))
    }

    async fn spend(
        &mut self,
        tokens: &[TokenHash],
        _: Timestamp,
    ) -> Result<Vec<Result<Spent, Error>>, Failure> {
        self.0.under_way.fetch_add(tokens.len() as u64, Ordering::SeqCst);
        self.0.reach(Step::Spend)?;
        Ok(tokens.iter().map(|_| Ok(Ok(None))).collect())
    }

    async fn begin_claim(
        &mut self,
        _: &NewClaim,
        _: Timestamp,
    ) -> Result<Result<Begun, Error>, Failure> {
        Ok(Ok(Begun::Unpaid))
    }

    async fn record(&mut self, rows: &[AuditRow]) -> Result<(), Failure> {
        assert!(!rows.is_empty());
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.0.open.store(false, Ordering::SeqCst);
        self.0.reach(Step::Commit)?;
        let done = self.0.under_way.load(Ordering::SeqCst);
        self.0.committed.fetch_add(done, Ordering::SeqCst);
        Ok(())
    }

    async fn rollback(&mut self) {
        assert!(self.0.open.swap(false, Ordering::SeqCst), "nothing to undo");
    }

    async fn close(self) {}
}

const TOKEN: TokenHash = TokenHash::from_bytes([1; 32]);

/// Ten uses at once, all in one batch: on one thread they are all asked before the writer's turn.
async fn spend_ten(writer: &Arc<Writer<FakeEngine>>) -> Vec<Result<Spent, Error>> {
    let mut uses = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let writer = Arc::clone(writer);
        uses.spawn(async move { writer.spend(&By::SERVER, TOKEN, Event::done("sign")).await });
    }
    uses.join_all().await
}

#[tokio::test]
async fn a_failure_is_everyones_answer_and_the_next_batch_is_served() {
    for (step, failure, expected) in [
        (Step::Begin, Failure::Unavailable("lock".to_owned()), "the store is not available: lock"),
        (Step::Spend, Failure::Corrupt("page 7"), "the store is damaged: page 7"),
        (Step::Commit, Failure::Unavailable("room".to_owned()), "the store is not available: room"),
        (
            Step::Commit,
            Failure::OutcomeUnknown("no word".to_owned()),
            "the store did not confirm the change; whether it was made is not known: no word",
        ),
    ] {
        let engine = FakeEngine::default();
        let fake = Arc::clone(&engine.0);
        let writer = Arc::new(Writer::start(engine));
        fake.fail_once(step, failure);
        for answer in spend_ten(&writer).await {
            assert_eq!(answer.unwrap_err().to_string(), expected, "{step:?}");
        }
        assert_eq!((writer.commits(), fake.committed.load(Ordering::SeqCst)), (0, 0));
        for answer in spend_ten(&writer).await {
            assert_eq!(answer.unwrap(), Ok(None), "{step:?}");
        }
        assert_eq!((writer.commits(), fake.committed.load(Ordering::SeqCst)), (1, 10));
    }
}

#[tokio::test]
async fn what_was_done_is_counted() {
    let engine = FakeEngine::default();
    let fake = Arc::clone(&engine.0);
    let writer = Arc::new(Writer::start(engine));
    spend_ten(&writer).await;
    let key = KeyId::Symmetric([1; 16]);
    let destroy = Write::DestroyKey { account: AccountId::SERVER, key };
    writer.write(&By::SERVER, destroy).await.unwrap();
    fake.fail_once(Step::Commit, Failure::Unavailable("room".to_owned()));
    spend_ten(&writer).await;
    let figures = writer.figures();
    assert_eq!((figures.batches.count(), figures.batches.sum), (2, 11), "{figures:?}");
    assert_eq!((figures.spends.count(), figures.writes.count()), (20, 1), "{figures:?}");
    assert_eq!((figures.failures, figures.waiting), (1, 0), "{figures:?}");

    // One that gives up waits no more.
    let usage = Event::done("sign");
    let mut impatient = Box::pin(writer.spend(&By::SERVER, TOKEN, usage));
    tokio::select! {
        biased;
        _ = &mut impatient => panic!("nobody has answered it yet"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(writer.figures().waiting, 1);
    drop(impatient);
    assert_eq!(writer.figures().waiting, 0);
}

#[tokio::test]
async fn a_conflict_with_another_server_is_tried_again_unseen() {
    for step in [Step::Begin, Step::Spend, Step::Commit] {
        let engine = FakeEngine::default();
        let fake = Arc::clone(&engine.0);
        let writer = Arc::new(Writer::start(engine));
        fake.fail_once(step, Failure::Conflict("deadlock".to_owned()));
        for answer in spend_ten(&writer).await {
            assert_eq!(answer.unwrap(), Ok(None), "{step:?}");
        }
        assert_eq!((writer.commits(), fake.committed.load(Ordering::SeqCst)), (1, 10));
    }
}

#[tokio::test]
async fn a_writer_that_failed_can_be_tried_out() {
    let engine = FakeEngine::default();
    let fake = Arc::clone(&engine.0);
    let writer = Arc::new(Writer::start(engine));
    assert!(!writer.failed_last());
    for _ in 0..2 {
        fake.fail_once(Step::Commit, Failure::Unavailable("room".to_owned()));
        assert!(writer.try_out().await.is_err());
        assert!(writer.failed_last());
    }
    writer.try_out().await.unwrap();
    assert!(!writer.failed_last());
    assert_eq!((writer.commits(), fake.committed.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a_writer_that_dies_leaves_its_callers_in_doubt_and_takes_no_more() {
    let engine = FakeEngine::default();
    let fake = Arc::clone(&engine.0);
    let writer = Arc::new(Writer::start(engine));
    assert!(writer.is_alive());
    fake.panics.store(true, Ordering::SeqCst);
    for answer in spend_ten(&writer).await {
        assert!(matches!(answer, Err(Error::OutcomeUnknown(_))), "{answer:?}");
    }
    assert!(!writer.is_alive());
    let late = writer.spend(&By::SERVER, TOKEN, Event::done("sign")).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    assert!(writer.finish().await.is_none());
}

#[tokio::test]
async fn a_writer_that_is_halted_confirms_nothing_and_takes_no_more() {
    let engine = FakeEngine::default();
    let fake = Arc::clone(&engine.0);
    let writer = Arc::new(Writer::start(engine));
    fake.fail_once(Step::Commit, Failure::Halted("fsync".to_owned()));
    for answer in spend_ten(&writer).await {
        assert!(matches!(answer, Err(Error::OutcomeUnknown(_))), "{answer:?}");
    }
    assert!(!writer.is_alive());
    let late = writer.spend(&By::SERVER, TOKEN, Event::done("sign")).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    assert_eq!((writer.commits(), fake.committed.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn finishing_gives_the_engine_once() {
    let writer = Writer::start(FakeEngine::default());
    assert!(writer.finish().await.is_some());
    assert!(writer.finish().await.is_none());
    assert!(!writer.is_alive());
}

#[tokio::test]
async fn a_chain_whose_end_is_not_known_is_left_where_it_was_known() {
    let engine = FakeEngine::default();
    let fake = Arc::clone(&engine.0);
    let writer = Arc::new(Writer::start(engine));
    spend_ten(&writer).await;
    let known = writer.audit_heads();
    assert_eq!(known.iter().map(|head| head.number).collect::<Vec<_>>(), [10]);
    for failure in [Failure::Unavailable(String::new()), Failure::OutcomeUnknown(String::new())] {
        fake.fail_once(Step::Commit, failure);
        spend_ten(&writer).await;
        assert_eq!(writer.audit_heads(), known);
    }
    spend_ten(&writer).await;
    let heads = writer.audit_heads();
    assert_eq!((heads.len(), heads[0], heads[1].number), (2, known[0], 10));
    assert_ne!(heads[1].chain, known[0].chain);
}
