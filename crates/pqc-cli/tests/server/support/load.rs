//! Callers that come together, and the ledger of what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::call::spawn;
use super::{Call, Client, KeyPair, block_on, text};

/// What callers were told.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The uses of the counted token that were answered well.
    pub(crate) spent: u64,
    /// Those that were not answered, or whose answer says that it is not known.
    pub(crate) doubtful: u64,
    /// The calls that were told that nothing was done.
    pub(crate) refused: u64,
    /// The temporary tokens, of one attempt each, that were given out.
    pub(crate) tokens: Vec<String>,
    /// The key pairs that were.
    pub(crate) keys: Vec<KeyPair>,
}

/// Callers at work: each spends attempts of the counted token, mints tokens and makes key pairs.
pub(crate) struct Load {
    callers: Vec<JoinHandle<Ledger>>,
    stage: Arc<AtomicU8>,
    refused: Arc<AtomicU64>,
}

// How far it is; 0 at first.
/// What is asked from now on is not to be answered well.
const DOOMED: u8 = 1;
const ENDED: u8 = 2;

impl Load {
    /// Sixteen callers, who take turns at these servers: clients with the root token.
    pub(crate) fn on(servers: &[Client], counted: &str) -> Self {
        let (stage, refused) = (Arc::<AtomicU8>::default(), Arc::<AtomicU64>::default());
        let callers = (0..CALLERS).map(|n| {
            let root = servers[n % servers.len()].clone();
            let counted = root.with_token(counted);
            let (stage, refused) = (Arc::clone(&stage), Arc::clone(&refused));
            spawn(Caller { root, counted, stage, refused }.work(n))
        });
        Self { callers: callers.collect(), stage, refused }
    }

    /// From now on, a good answer to a call that is begun now is a failure.
    pub(crate) fn nothing_can_succeed(&self) {
        self.stage.store(DOOMED, Ordering::SeqCst);
    }

    /// How many calls were told so far that nothing was done.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    /// Ends the callers, each after its call.
    pub(crate) fn end(self) -> Ledger {
        self.stage.store(ENDED, Ordering::SeqCst);
        let mut all = Ledger::default();
        for caller in self.callers {
            all.add(block_on(caller).unwrap());
        }
        all
    }
}

impl Ledger {
    /// Adds what others were told.
    pub(crate) fn add(&mut self, other: Self) {
        self.spent += other.spent;
        self.doubtful += other.doubtful;
        self.refused += other.refused;
        self.tokens.extend(other.tokens);
        self.keys.extend(other.keys);
    }

    /// Asserts that all that was given out is there, and that the counted token, of `granted`
    /// attempts, has lost those that were used, and none but those that may have been.
    #[track_caller]
    pub(crate) fn assert_kept(&self, root: &Client, counted: &str, granted: u64) {
        let spent = granted - root.with_token(counted).attempts_left();
        let allowed = self.spent..=self.spent + self.doubtful;
        assert!(allowed.contains(&spent), "{spent} are spent, which should be in {allowed:?}");
        for token in &self.tokens {
            assert_eq!(root.with_token(token).attempts_left(), 1, "a token lost its attempt");
        }
        for pair in &self.keys {
            let (cipher, shared_key) = pair.encapsulated_by(root);
            let fields = json!({"cipher": cipher, "pk": pair.pk});
            let answer = root.post("/api/kem/decapsulate_key", &fields).ok();
            assert_eq!(text(&answer, "shared_key"), shared_key, "a key does not decapsulate");
        }
    }
}

struct Caller {
    root: Client,
    counted: Client,
    stage: Arc<AtomicU8>,
    refused: Arc<AtomicU64>,
}

impl Caller {
    async fn work(self, first: usize) -> Ledger {
        let mut told = Ledger::default();
        let spending = json!({"unencrypted": "x", "key": "07".repeat(32)});
        let spending = Call::post("/api/aes/encrypt_text", &spending);
        let minting = Call::get("/api/token/new");
        let generating = Call::get("/api/kem/generate_keys");
        for n in first.. {
            if self.stage.load(Ordering::SeqCst) == ENDED {
                break;
            }
            let (client, call) = match n % 8 {
                0 => (&self.root, &minting),
                1 => (&self.root, &generating),
                _ => (&self.counted, &spending),
            };
            match (self.ask(client, call).await, n % 8) {
                (Told::Done(answer), 0) => told.tokens.push(text(&answer.ok(), "new_token")),
                (Told::Done(answer), 1) => told.keys.push(KeyPair::from(&answer.ok())),
                (Told::Done(answer), _) => {
                    answer.ok();
                    told.spent += 1;
                    continue;
                }
                (Told::NotDone, _) => {
                    told.refused += 1;
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                (Told::Nothing, 0 | 1) | (Told::Unreached, _) => {}
                (Told::Nothing, _) => told.doubtful += 1,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        told
    }

    async fn ask(&self, client: &Client, call: &Call) -> Told {
        let doomed = self.stage.load(Ordering::SeqCst) == DOOMED;
        match client.try_send(call.clone()).await {
            Ok(answer) if answer.status == 200 => {
                assert!(!doomed, "it was answered");
                Told::Done(answer)
            }
            Ok(answer) => match answer.problem(503).get("attempt") {
                None => Told::NotDone,
                Some(attempt) => {
                    assert!(attempt == "unknown" || attempt == "spent", "{attempt}");
                    Told::Nothing
                }
            },
            Err(error) if error.is_connect() => Told::Unreached,
            Err(_) => Told::Nothing,
        }
    }
}

/// What came of a call.
enum Told {
    /// A good answer.
    Done(Answer),
    /// That nothing was done.
    NotDone,
    /// Nothing, or that it is not known what was done.
    Nothing,
    /// It never came to the server.
    Unreached,
}

const CALLERS: usize = 16;
