//! Keys in memory change no answer: services with none, with one and with many of them, on one store,
//! are asked the same.

use std::sync::Arc;

use pqc_core::token::Demand;
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Issuer, KemAlgorithm, KeyId, Secret,
    SecretVec, SharedSecret, SignatureAlgorithm, UnverifiedKey,
};
use pqc_service::audit::{Use, WrittenDown};
use pqc_service::authorize::Admitted;
use pqc_service::keyring::{AttestedKey, NewKeyPair, SigningKeyChoice};
use pqc_service::{By, Custody, Error, MasterSecret, Service, Settings, Store, System};

use crate::ground::{Ground, on_every_ground};
use crate::support::{HOUR, at};

const STEPS: u32 = 400;

fn master(byte: u8) -> MasterSecret {
    Secret::from([byte; 32]).into()
}

async fn open(ground: &Ground, key_cache_bytes: u64) -> Service {
    let store: Arc<dyn Store> = ground.open().await;
    let settings = Settings { key_cache_bytes, ..Settings::default() };
    Service::open(store, Arc::new(System), master(1), settings).await.unwrap()
}

/// With room for no key, for one KEM key pair, and for as many as by default.
async fn services(ground: &Ground) -> [Service; 3] {
    let many = open(ground, Settings::default().key_cache_bytes).await;
    let (by, _) = caller(&many, "measured").await;
    let pair = generate(&many, &by).await;
    pair.decapsulated_by(&many, &by).await.unwrap();
    let one = many.cache_figures().bytes * 5 / 4;
    [open(ground, 0).await, open(ground, one).await, many]
}

/// Whoever acts for a new account, and its token.
async fn caller(service: &Service, name: &str) -> (Admitted, String) {
    let pending = service.prepare_account(name, Custody::Server).await.unwrap();
    let token = service.create_account(&By::OPERATOR, pending).await.unwrap();
    let token = token.expose_text().to_string();
    (admitted(service, &token).await, token)
}

async fn admitted(service: &Service, token: &str) -> Admitted {
    let caller = service.authenticate(token).await.unwrap();
    let usage = Use::new("sign", WrittenDown::IfAll);
    service.spend(caller.authorize(Demand::Root).unwrap(), usage).await.unwrap()
}

/// A stored key pair, a ciphertext to it, and what comes of that.
struct Pair {
    made: NewKeyPair,
    ciphertext: Ciphertext,
    secret: SharedSecret,
    is_destroyed: bool,
}

async fn generate(service: &Service, by: &Admitted) -> Pair {
    let made = service.generate_key_pair(by, KemAlgorithm::MlKem512, None, |_| Ok("")).await;
    let made = made.unwrap().0;
    let key = &made.encapsulation_key;
    let (ciphertext, secret) = key.encapsulate_unattested(&mut getrandom::SysRng).unwrap();
    Pair { made, ciphertext, secret, is_destroyed: false }
}

impl Pair {
    fn id(&self) -> KeyId {
        self.made.encapsulation_key.key_id()
    }

    async fn decapsulated_by(&self, service: &Service, by: &Admitted) -> Result<(), Error> {
        decapsulated(service, by, &self.made.encapsulation_key, &self.ciphertext, &self.secret)
            .await
    }

    fn attested(&self) -> AttestedKey {
        AttestedKey {
            key: unverified(&self.made.encapsulation_key),
            attestation: self.made.attestation.clone(),
            issuer: self.made.issuer.clone(),
            expected_account: Some(self.made.account),
        }
    }
}

fn unverified(key: &EncapsulationKey) -> UnverifiedKey {
    UnverifiedKey::from_bytes(key.as_bytes()).unwrap()
}

async fn decapsulated(
    service: &Service,
    by: &Admitted,
    key: &EncapsulationKey,
    ciphertext: &Ciphertext,
    secret: &SharedSecret,
) -> Result<(), Error> {
    let got = service.decapsulate(by, &unverified(key), ciphertext).await?;
    assert!(got.ct_eq(secret));
    Ok(())
}

/// What is told of a result, but for what is drawn anew each time.
fn told<T>(result: Result<T, Error>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |_| "done".to_owned())
}

/// Numbers that are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }
}

/// Three services on one store, and an account's keys on it.
struct Lab {
    services: [Service; 3],
    by: Admitted,
    pairs: Vec<Pair>,
    /// Signing keys, and whether they are destroyed.
    signing: Vec<(KeyId, bool)>,
    numbers: Numbers,
}

impl Lab {
    /// Something that changes keys, on one of the services.
    async fn change(&mut self) {
        let service = &self.services[self.numbers.below(3)];
        let (of, account) = (self.by.by(), self.by.account_id());
        let (what, which) = (self.numbers.below(4), self.numbers.below(6));
        let change = async |id: &KeyId, is_destroyed: &mut bool| {
            let changed = match *is_destroyed {
                true => service.undestroy_key(of, account, id).await,
                false => service.destroy_key(of, account, id).await,
            };
            changed.unwrap();
            *is_destroyed = !*is_destroyed;
        };
        match what {
            0 if self.signing.len() < 6 => {
                let algorithm = SignatureAlgorithm::MlDsa44;
                let made = service.rotate_signing_key(of, account, algorithm).await.unwrap();
                self.signing.push((made.id, false));
            }
            0 | 1 => {
                let which = which % self.signing.len();
                let (id, is_destroyed) = &mut self.signing[which];
                change(id, is_destroyed).await;
            }
            _ => {
                let pair = &mut self.pairs[which % 4];
                change(&pair.made.encapsulation_key.key_id(), &mut pair.is_destroyed).await;
            }
        }
    }

    /// The same call to each service: all answer alike, and as the keys are.
    async fn ask(&mut self) {
        let pair = &self.pairs[self.numbers.below(4)];
        let (id, is_destroyed) = self.signing[self.numbers.below(self.signing.len())];
        let unknown = format!("{:?}", Error::UnknownKey);
        let (what, mut answers) = (self.numbers.below(7), Vec::new());
        for service in &self.services {
            answers.push(match what {
                0..3 => {
                    let answer = told(pair.decapsulated_by(service, &self.by).await);
                    assert_eq!(answer, if pair.is_destroyed { &unknown } else { "done" });
                    answer
                }
                3 => {
                    let answer = told(self.sign(service, Some(id)).await);
                    assert_eq!(answer, if is_destroyed { &unknown } else { "done" });
                    answer
                }
                4 => match self.sign(service, None).await {
                    Ok(id) => id.to_string(),
                    Err(error) => format!("{error:?}"),
                },
                5 => {
                    let to = pair.attested();
                    let (ciphertext, secret, account) =
                        service.encapsulate(&self.by, &to).await.unwrap();
                    assert_eq!(account, self.by.account_id());
                    let key = &pair.made.encapsulation_key;
                    let by_none = &self.services[0];
                    if !pair.is_destroyed {
                        decapsulated(by_none, &self.by, key, &ciphertext, &secret).await.unwrap();
                    }
                    "done".to_owned()
                }
                _ => {
                    let other = self.pairs.iter().find(|other| other.id() != pair.id()).unwrap();
                    let to = AttestedKey {
                        attestation: other.made.attestation.clone(),
                        ..pair.attested()
                    };
                    let answer = told(service.encapsulate(&self.by, &to).await);
                    assert!(answer.contains("AttestationSignature"), "{answer}");
                    answer
                }
            });
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{what}: {answers:?}");
    }

    async fn sign(&self, service: &Service, key_id: Option<KeyId>) -> Result<KeyId, Error> {
        let choice = match key_id {
            Some(_) => SigningKeyChoice { key_id, algorithm: None },
            None => SigningKeyChoice { algorithm: Some(SignatureAlgorithm::MlDsa44), key_id },
        };
        let text = SecretVec::copy_of(b"text");
        let (signature, key) = service.sign(&self.by, choice, text, vec![]).await?;
        assert!(key.verify(b"text", Context::new(b"").unwrap(), &signature));
        assert!(key_id.is_none_or(|id| id == key.key_id()));
        Ok(key.key_id())
    }

    async fn steps(&mut self, count: u32) {
        for _ in 0..count {
            match self.numbers.below(6) {
                0 => self.change().await,
                _ => self.ask().await,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_differs_with_no_key_in_memory_with_one_or_with_many() {
    on_every_ground(async |ground: Ground| {
        let services = services(&ground).await;
        let (by, _) = caller(&services[0], "alice").await;
        let mut pairs = Vec::new();
        for n in 0..4 {
            pairs.push(generate(&services[n % 3], &by).await);
        }
        let (of, algorithm) = (By::OPERATOR, SignatureAlgorithm::MlDsa44);
        let made = services[0].rotate_signing_key(&of, by.account_id(), algorithm).await.unwrap();
        let (signing, numbers) = (vec![(made.id, false)], Numbers(1));
        let mut lab = Lab { services, by, pairs, signing, numbers };
        lab.steps(STEPS).await;
        let rotation = lab.services[1].begin_rotation(&of, &master(2)).await.unwrap().unwrap();
        lab.steps(STEPS / 4).await;
        lab.services[1].complete_rotation(&of, rotation).await.unwrap();
        lab.steps(STEPS).await;

        let [none, one, many] = lab.services.each_ref().map(Service::cache_figures);
        let hits = |figures: &pqc_service::CacheFigures| {
            [figures.decapsulation_keys, figures.signing_keys, figures.attested_keys]
                .map(|of_kind| of_kind.hits)
        };
        assert_eq!((hits(&none), none.bytes), ([0; 3], 0));
        assert!(hits(&one).iter().sum::<u64>() > 10, "{one:?}");
        assert!(hits(&many).iter().all(|hits| *hits > 20), "{many:?}");
        assert!(hits(&many).iter().sum::<u64>() > 2 * hits(&one).iter().sum::<u64>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_destroyed_on_another_server_is_dropped_at_the_next_call() {
    on_every_ground(async |ground: Ground| {
        let (here, elsewhere) = (open(&ground, 1 << 20).await, open(&ground, 1 << 20).await);
        let (by, _) = caller(&here, "alice").await;
        let pair = generate(&here, &by).await;
        for service in [&here, &elsewhere] {
            pair.decapsulated_by(service, &by).await.unwrap();
            assert!(service.cache_figures().bytes > 0);
        }
        elsewhere.destroy_key(by.by(), by.account_id(), &pair.id()).await.unwrap();
        assert_eq!(elsewhere.cache_figures().bytes, 0);
        let refused = pair.decapsulated_by(&here, &by).await;
        assert!(matches!(refused, Err(Error::UnknownKey)), "{refused:?}");
        assert_eq!(here.cache_figures().bytes, 0);
        here.undestroy_key(by.by(), by.account_id(), &pair.id()).await.unwrap();
        pair.decapsulated_by(&elsewhere, &by).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_retired_master_key_is_refused_though_its_key_is_in_memory() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = open(&ground, 1 << 20).await;
        let (by, _) = caller(&service, "alice").await;
        let (pair, sound) = (generate(&service, &by).await, generate(&service, &by).await);
        for pair in [&pair, &sound] {
            pair.decapsulated_by(&service, &by).await.unwrap();
        }
        let old = store.key(by.account_id(), &pair.id()).await.unwrap().unwrap().sealed;
        let rotation = service.begin_rotation(&By::OPERATOR, &master(2)).await.unwrap().unwrap();
        service.complete_rotation(&By::OPERATOR, rotation).await.unwrap();

        let (sealed, id) = (hex::encode(old.as_bytes()), hex::encode(pair.id().as_bytes()));
        let sql = format!("UPDATE keys SET sealed = x'{sealed}' WHERE id = x'{id}'");
        assert_eq!(ground.execute(&sql, &sql.replace("x'", r"'\x")).await, 1);
        let refused = pair.decapsulated_by(&service, &by).await;
        let unknown = pqc_core::Error::UnknownMasterKey { version: 1 };
        assert!(matches!(&refused, Err(Error::Core(error)) if *error == unknown), "{refused:?}");
        sound.decapsulated_by(&service, &by).await.unwrap(); // the twin
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attested_key_in_memory_is_refused_once_its_terms_do_not_hold() {
    on_every_ground(async |ground: Ground| {
        let service = open(&ground, 1 << 20).await;
        let (by, token) = caller(&service, "alice").await;
        let rng = &mut getrandom::SysRng;
        let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng).unwrap();
        let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng).unwrap();
        let (account, key) = (by.account_id(), receiver.encapsulation_key());
        let end = Some(at(HOUR as i64));
        let attestation = issuer.attest(account, key, at(0), end, rng).unwrap();
        let to = |expected_account| AttestedKey {
            key: unverified(key),
            attestation: attestation.clone(),
            issuer: issuer.verifying_key().clone(),
            expected_account,
        };
        let encapsulate =
            async |by: &Admitted, to: AttestedKey| told(service.encapsulate(by, &to).await);
        let is = |error: pqc_core::Error| format!("{:?}", Error::from(error));
        let (trust, of) = (issuer.verifying_key(), By::OPERATOR);
        assert_eq!(encapsulate(&by, to(None)).await, is(pqc_core::Error::UntrustedIssuer));
        service.trust_issuer(&of, trust).await.unwrap();
        for expected in [None, Some(account), Some(account)] {
            assert_eq!(encapsulate(&by, to(expected)).await, "done");
        }
        let other = Some(pqc_core::AccountId::from_bytes([9; 16]));
        assert_eq!(encapsulate(&by, to(other)).await, is(pqc_core::Error::AttestationAccount));
        service.distrust_issuer(&of, trust).await.unwrap();
        assert_eq!(encapsulate(&by, to(None)).await, is(pqc_core::Error::UntrustedIssuer));
        service.trust_issuer(&of, trust).await.unwrap();
        assert_eq!(encapsulate(&by, to(None)).await, "done");
        ground.set_time(at(HOUR as i64)).await;
        let late = admitted(&service, &token).await;
        assert_eq!(encapsulate(&late, to(None)).await, is(pqc_core::Error::AttestationExpired));
        let figures = service.cache_figures().attested_keys;
        assert_eq!((figures.hits, figures.misses), (6, 2), "each but the first two");
    })
    .await;
}
