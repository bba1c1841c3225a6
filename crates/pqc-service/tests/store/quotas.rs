//! An account has as many keys and living tokens as it may, and not one more.

use pqc_service::audit::{Use, WrittenDown};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pqc_core::token::{Demand, Operation, TokenValue};
use pqc_core::{KemAlgorithm, Secret, SecretVec};
use pqc_service::keyring::SigningKeyChoice;
use pqc_service::tokens::{MintRequest, Minted};
use pqc_service::{Admitted, By, Custody, Error, Service, Settings, System};
use tokio::task::JoinSet;

use crate::ground::{Counting, Ground, on_every_ground};
use crate::support::at;

/// A service with an account, and what its root token admits to.
struct Alice {
    store: Arc<dyn Counting>,
    service: Arc<Service>,
    admitted: Arc<Admitted>,
}

impl Alice {
    /// The first service on the ground.
    async fn new(ground: &Ground, most: u64) -> (Self, TokenValue) {
        let service = service(ground.open().await, most).await;
        let pending = service.prepare_account("alice", Custody::Server).await.unwrap();
        let root = service.create_account(&By::OPERATOR, pending).await.unwrap();
        (Self::on(ground, most, &root).await, root)
    }

    /// Another service on the ground.
    async fn on(ground: &Ground, most: u64, root: &TokenValue) -> Self {
        let store = ground.open().await;
        let service = Arc::new(service(Arc::clone(&store), most).await);
        let caller = service.authenticate(&root.expose_text()).await.unwrap();
        let admitted = service
            .spend(caller.authorize(Demand::Root).unwrap(), Use::new("sign", WrittenDown::IfAll))
            .await
            .unwrap();
        Self { store, service, admitted: Arc::new(admitted) }
    }

    async fn mint(&self) -> Result<Minted, Error> {
        let request = MintRequest { lifetime_seconds: Some(1000), ..MintRequest::default() };
        self.service.mint(&self.admitted, request, |_| Ok("")).await.map(|(minted, _)| minted)
    }

    async fn generate(&self, custody: Option<Custody>) -> Result<(), Error> {
        let algorithm = KemAlgorithm::MlKem512;
        self.service
            .generate_key_pair(&self.admitted, algorithm, custody, |_| Ok(""))
            .await
            .map(drop)
    }

    /// Until there is room: within a second, as it is said.
    async fn mint_in_a_second(&self) -> Minted {
        let begun = Instant::now();
        loop {
            match self.mint().await {
                Ok(minted) => return minted,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(1), "{error}"),
            }
        }
    }

    async fn live(&self) -> u64 {
        let now = self.store.now().await.unwrap();
        self.store.live_tokens(self.admitted.account_id(), now, u64::MAX).await.unwrap()
    }

    async fn keys(&self) -> u64 {
        self.store.stored_keys(self.admitted.account_id(), u64::MAX).await.unwrap()
    }
}

async fn service(store: Arc<dyn Counting>, most: u64) -> Service {
    let settings = Settings { max_keys: most, max_live_tokens: most, ..Settings::default() };
    Service::open(store, Arc::new(System), Secret::from([7; 32]), settings).await.unwrap()
}

fn is_full<T>(answer: &Result<T, Error>, of: &str) -> bool {
    matches!(answer, Err(Error::QuotaFull { what, .. }) if *what == of)
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_tokens_are_minted_as_may_live_and_room_returns() {
    on_every_ground(async |ground: Ground| {
        let (alice, _) = Alice::new(&ground, 3).await;
        let mut minted = Vec::new();
        for _ in 0..3 {
            minted.push(alice.mint().await.unwrap());
        }
        let account = alice.admitted.account_id();
        for _ in 0..3 {
            assert!(is_full(&alice.mint().await, "token"));
            let operator =
                alice.service.mint_for(&By::OPERATOR, account, MintRequest::default()).await;
            assert!(is_full(&operator, "token"));
        }
        assert_eq!(alice.live().await, 3);

        // One is revoked, one is spent, and all expire.
        alice.service.revoke(&By::OPERATOR, account, minted[0].id).await.unwrap();
        alice.mint_in_a_second().await;
        assert!(is_full(&alice.mint().await, "token"));
        let caller = alice.service.authenticate(&minted[1].value.expose_text()).await.unwrap();
        let demand = Demand::Operation(Operation::Sign);
        alice
            .service
            .spend(caller.authorize(demand).unwrap(), Use::new("sign", WrittenDown::IfAll))
            .await
            .unwrap();
        alice.mint_in_a_second().await;
        assert!(is_full(&alice.mint().await, "token"));
        ground.set_time(at(1001)).await;
        for _ in 0..3 {
            alice.mint_in_a_second().await;
        }
        assert!(is_full(&alice.mint().await, "token"));
        // Another account has its own.
        let pending = alice.service.prepare_account("bob", Custody::Server).await.unwrap();
        alice.service.create_account(&By::OPERATOR, pending).await.unwrap();
        let bob = alice.service.account("bob").await.unwrap().id;
        alice.service.mint_for(&By::OPERATOR, bob, MintRequest::default()).await.unwrap();
        // Keys are another quota.
        alice.generate(None).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_at_once_exactly_as_many_succeed_as_there_is_room_for() {
    on_every_ground(async |ground: Ground| {
        let (alice, _) = Alice::new(&ground, 60).await;
        let alice = Arc::new(alice);
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let alice = Arc::clone(&alice);
            calls.spawn(async move {
                let mut tokens = Vec::new();
                let mut keys = Vec::new();
                for _ in 0..2 {
                    tokens.push(alice.mint().await.map(drop));
                    keys.push(alice.generate(None).await);
                }
                (tokens, keys)
            });
        }
        let (tokens, keys): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().unzip();
        for (answers, of) in [(tokens, "token"), (keys, "key")] {
            let answers: Vec<_> = answers.into_iter().flatten().collect();
            let made = answers.iter().filter(|answer| answer.is_ok()).count();
            let full = answers.iter().filter(|answer| is_full(answer, of)).count();
            assert_eq!((made, full), (60, 40), "{of}");
        }
        assert_eq!((alice.live().await, alice.keys().await), (60, 60));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_in_the_midst_of_calls_loses_none_of_them_and_counts_none_twice() {
    on_every_ground(async |ground: Ground| {
        let (alice, _) = Alice::new(&ground, 20).await;
        let alice = Arc::new(alice);
        // Near the limit each refusal counts; each token that ends makes room for one other.
        let account = alice.admitted.account_id();
        let mut living = Vec::new();
        for _ in 0..15 {
            let mut calls = JoinSet::new();
            for _ in 0..24 {
                let alice = Arc::clone(&alice);
                calls.spawn(async move { alice.mint().await.ok() });
            }
            living.extend(calls.join_all().await.into_iter().flatten());
            assert_eq!((living.len(), alice.live().await), (20, 20));
            for token in living.drain(..7) {
                alice.service.revoke(&By::OPERATOR, account, token.id).await.unwrap();
            }
            living.push(alice.mint_in_a_second().await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_made_at_their_first_use_count_and_client_held_ones_do_not() {
    on_every_ground(async |ground: Ground| {
        let (alice, _) = Alice::new(&ground, 3).await;
        let text = || SecretVec::new(b"x".to_vec());
        let sign = async || {
            let choice = SigningKeyChoice::default();
            alice.service.sign(&alice.admitted, choice, text(), Vec::new()).await.map(drop)
        };
        let encrypt = async || {
            alice.service.encrypt(&alice.admitted, None, text(), Vec::new()).await.map(drop)
        };
        for _ in 0..5 {
            alice.generate(Some(Custody::Client)).await.unwrap();
        }
        assert_eq!(alice.keys().await, 0);
        sign().await.unwrap();
        alice.generate(None).await.unwrap();
        alice.generate(None).await.unwrap();
        assert!(is_full(&alice.generate(None).await, "key"));
        assert!(is_full(&encrypt().await, "key"));
        // What is there is used, and what is not stored is made.
        sign().await.unwrap();
        alice.generate(Some(Custody::Client)).await.unwrap();
        assert_eq!(alice.keys().await, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_go_over_by_no_more_than_the_others_made_in_a_second() {
    on_every_ground(async |ground: Ground| {
        let (one, root) = Alice::new(&ground, 20).await;
        let other = Alice::on(&ground, 20, &root).await;
        let counted = Instant::now();
        one.mint().await.unwrap();
        for _ in 0..19 {
            other.mint().await.unwrap();
        }
        assert!(is_full(&other.mint().await, "token"), "it counted what the first one made");
        let by_the_first = async || {
            let mut more = 0;
            while one.mint().await.is_ok() {
                more += 1;
            }
            more
        };
        let more = by_the_first().await;
        assert!(more <= 19, "{more}");
        assert!(more > 0 || counted.elapsed() > Duration::from_secs(1), "counted at each call?");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(by_the_first().await, 0);
        assert!(is_full(&other.mint().await, "token"));
        assert_eq!(one.live().await, 20 + more);
    })
    .await;
}
