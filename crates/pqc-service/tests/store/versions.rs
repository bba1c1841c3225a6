//! Keys of which one is in force, by the service on each store: rotated, destroyed, brought back,
//! by one server and by two.

use pqc_service::audit::{Use, WrittenDown};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pqc_core::token::Demand;
use pqc_core::{
    AccountId, KemAlgorithm, KeyId, MessageBox, Secret, SecretVec, SignatureAlgorithm, VerifyingKey,
};
use pqc_service::keyring::{AttestedKey, SigningKeyChoice};
use pqc_service::{Admitted, By, Custody, Error, KeyInfo, Service, Settings, Store, System};
use tokio::task::JoinSet;

use crate::ground::{Ground, on_every_ground};
use crate::support::{HOUR, at};

const ML_DSA_65: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;

/// A server on the ground, with another one beside it, and whoever calls them.
struct Lab {
    here: Arc<Service>,
    there: Arc<Service>,
    stores: [Arc<dyn Store>; 2],
    by: Admitted,
}

impl Lab {
    async fn new(ground: &Ground, key_grace: Duration) -> Self {
        let settings = Settings { key_grace, ..Settings::default() };
        let stores = [ground.open().await as Arc<dyn Store>, ground.open().await];
        let open = async |store: &Arc<dyn Store>| {
            let key = Secret::from([7; 32]);
            let service = Service::open(Arc::clone(store), Arc::new(System), key, settings).await;
            Arc::new(service.unwrap())
        };
        let (here, there) = (open(&stores[0]).await, open(&stores[1]).await);
        let pending = here.prepare_account("a", Custody::Server).await.unwrap();
        let root = here.create_account(&By::OPERATOR, pending).await.unwrap();
        let caller = here.authenticate(&root.expose_text()).await.unwrap();
        let by = here
            .spend(caller.authorize(Demand::Root).unwrap(), Use::new("sign", WrittenDown::IfAll))
            .await
            .unwrap();
        Self { here, there, stores, by }
    }

    fn account(&self) -> AccountId {
        self.by.account_id()
    }

    async fn close(self) {
        for store in self.stores {
            store.close().await;
        }
    }

    async fn encrypt(&self, service: &Service) -> MessageBox {
        let text = SecretVec::new(b"text".to_vec());
        service.encrypt(&self.by, None, text, Vec::new()).await.unwrap()
    }

    async fn decrypts(&self, service: &Service, text: &MessageBox) -> bool {
        match service.decrypt(&self.by, None, text.clone(), Vec::new()).await {
            Ok(opened) => opened.expose_bytes() == b"text",
            Err(Error::Core(pqc_core::Error::BoxAuthentication)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn sign(
        &self,
        service: &Service,
        key_id: Option<KeyId>,
    ) -> Result<(pqc_core::Signature, VerifyingKey), Error> {
        let choice = SigningKeyChoice { key_id, algorithm: None };
        let message = SecretVec::new(b"message".to_vec());
        service.sign(&self.by, choice, message, Vec::new()).await
    }

    /// All versions of the account's AES key: number, whether retired, whether destroyed.
    async fn versions(&self) -> Vec<(u32, bool, bool)> {
        let keys = self.here.keys(self.account(), None, 1000).await.unwrap();
        let state = |key: &KeyInfo| {
            (key.version.unwrap(), key.retired_at.is_some(), key.destroyed_at.is_some())
        };
        let mut versions: Vec<_> = keys.iter().map(state).collect();
        versions.sort_unstable();
        versions
    }
}

fn id_of(text: &MessageBox) -> KeyId {
    KeyId::Symmetric(text.key_id().unwrap())
}

async fn on_every_lab(behaviour: impl AsyncFn(&Lab, &Ground)) {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground, Duration::from_secs(HOUR)).await;
        behaviour(&lab, &ground).await;
        lab.close().await;
    })
    .await;
}

#[tokio::test]
async fn after_a_rotation_the_new_key_signs_and_old_signatures_verify() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let (signature, old) = lab.sign(&lab.here, None).await.unwrap();
        let rotated =
            lab.here.rotate_signing_key(&By::OPERATOR, lab.account(), ML_DSA_65).await.unwrap();
        assert_eq!((rotated.version, rotated.retired_at), (Some(2), None));
        for service in [&lab.here, &lab.there] {
            let (_, new) = lab.sign(service, None).await.unwrap();
            assert!(new.key_id() == rotated.id && new != old);
            let message = SecretVec::new(b"message".to_vec());
            let verified = service.verify(&lab.by, old.clone(), message, vec![], signature.clone());
            assert!(verified.await.unwrap());
        }
        // Another algorithm has versions of its own.
        let other = SignatureAlgorithm::MlDsa44;
        let first = lab.here.rotate_signing_key(&By::OPERATOR, lab.account(), other).await.unwrap();
        assert_eq!((first.version, first.algorithm.as_str()), (Some(1), "ML-DSA-44"));
        assert_eq!(lab.sign(&lab.here, None).await.unwrap().1.key_id(), rotated.id);
    })
    .await;
}

#[tokio::test]
async fn a_destroyed_signing_key_signs_no_more() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let id = lab.sign(&lab.here, None).await.unwrap().1.key_id();
        lab.here.destroy_key(&By::OPERATOR, lab.account(), &id).await.unwrap();
        let refused = lab.sign(&lab.there, Some(id)).await;
        assert!(matches!(refused, Err(Error::UnknownKey)), "{refused:?}");
        assert_ne!(lab.sign(&lab.there, None).await.unwrap().1.key_id(), id);
        lab.here.undestroy_key(&By::OPERATOR, lab.account(), &id).await.unwrap();
        assert_eq!(lab.sign(&lab.there, Some(id)).await.unwrap().1.key_id(), id);
        assert_ne!(lab.sign(&lab.there, None).await.unwrap().1.key_id(), id);
    })
    .await;
}

#[tokio::test]
async fn texts_of_all_versions_decrypt_but_not_those_of_a_destroyed_one() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let mut texts = vec![lab.encrypt(&lab.here).await];
        for _ in 0..2 {
            lab.there.rotate_account_key(&By::OPERATOR, lab.account()).await.unwrap();
            texts.push(lab.encrypt(&lab.here).await);
        }
        let opened = async || {
            let mut opened = Vec::new();
            for text in &texts {
                opened.push(lab.decrypts(&lab.there, text).await);
            }
            opened
        };
        assert_eq!(opened().await, [true, true, true]);
        let expected = [(1, true, false), (2, true, false), (3, false, false)];
        assert_eq!(lab.versions().await, expected);

        let second = id_of(&texts[1]);
        lab.here.destroy_key(&By::OPERATOR, lab.account(), &second).await.unwrap();
        assert_eq!(opened().await, [true, false, true]);
        let again = lab.here.undestroy_key(&By::OPERATOR, lab.account(), &second).await.unwrap();
        assert!(again.retired_at.is_some() && again.destroyed_at.is_none());
        assert_eq!(opened().await, [true, true, true]);
        assert_eq!(id_of(&lab.encrypt(&lab.here).await), id_of(&texts[2]));
    })
    .await;
}

#[tokio::test]
async fn the_key_in_force_once_destroyed_is_followed_by_a_new_version() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let account = lab.account();
        let first = lab.encrypt(&lab.here).await;
        lab.here.destroy_key(&By::OPERATOR, account, &id_of(&first)).await.unwrap();
        // Brought back before there is another, it is in force again.
        lab.here.undestroy_key(&By::OPERATOR, account, &id_of(&first)).await.unwrap();
        assert_eq!(id_of(&lab.encrypt(&lab.here).await), id_of(&first));
        assert_eq!(lab.versions().await, [(1, false, false)]);

        lab.here.destroy_key(&By::OPERATOR, account, &id_of(&first)).await.unwrap();
        let second = lab.encrypt(&lab.there).await;
        assert_eq!(lab.versions().await, [(1, true, true), (2, false, false)]);
        lab.here.undestroy_key(&By::OPERATOR, account, &id_of(&first)).await.unwrap();
        assert_eq!(id_of(&lab.encrypt(&lab.here).await), id_of(&second));
        assert!(lab.decrypts(&lab.here, &first).await);
        lab.here.destroy_key(&By::OPERATOR, account, &id_of(&second)).await.unwrap();
        lab.here.rotate_account_key(&By::OPERATOR, account).await.unwrap();
        let expected = [(1, true, false), (2, true, true), (3, false, false)];
        assert_eq!(lab.versions().await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_and_first_uses_at_once_leave_one_in_force() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let account = lab.account();
        // First uses on two servers: all take one key.
        let mut uses = Vec::new();
        for _ in 0..10 {
            uses.push(tokio::join!(lab.encrypt(&lab.here), lab.encrypt(&lab.there)));
        }
        let first = id_of(&uses[0].0);
        assert!(uses.iter().all(|(a, b)| id_of(a) == first && id_of(b) == first));

        let mut rotations = JoinSet::new();
        for n in 0..20 {
            let service = Arc::clone([&lab.here, &lab.there][n % 2]);
            rotations
                .spawn(async move { service.rotate_account_key(&By::OPERATOR, account).await });
        }
        let mut made = Vec::new();
        for done in rotations.join_all().await {
            match done {
                Ok(key) => made.push(key.version.unwrap()),
                Err(Error::Unavailable(why)) => assert!(why.contains("try again"), "{why}"),
                Err(error) => panic!("{error}"),
            }
        }
        made.sort_unstable();
        assert_eq!(made, (2..=made.len() as u32 + 1).collect::<Vec<_>>(), "each version once");
        let versions = lab.versions().await;
        let in_force: Vec<_> = versions.iter().filter(|(_, retired, _)| !retired).collect();
        assert_eq!(in_force, [&(made.len() as u32 + 1, false, false)]);
        assert!(made.len() >= 10, "{}", made.len());
    })
    .await;
}

#[tokio::test]
async fn a_new_issuer_attests_within_a_second_everywhere_and_the_old_one_is_believed() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let set = KemAlgorithm::MlKem512;
        let generate = async |service: &Service| {
            service.generate_key_pair(&lab.by, set, None, |_| Ok("")).await.unwrap().0
        };
        let before = generate(&lab.here).await;
        let rotated = lab.there.rotate_issuer(&By::OPERATOR).await.unwrap();
        let at_once = generate(&lab.there).await;
        assert_eq!(at_once.issuer.key_id(), rotated.id);
        let start = Instant::now();
        while generate(&lab.here).await.issuer != at_once.issuer {
            assert!(start.elapsed() < Duration::from_millis(1500), "it does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let expected = [at_once.issuer.clone(), before.issuer.clone()];
        for service in [&lab.here, &lab.there] {
            assert_eq!(service.issuer_keys().await.unwrap(), expected, "the one in force first");
            for made in [&before, &at_once] {
                let to = AttestedKey {
                    key: pqc_core::UnverifiedKey::from_bytes(made.encapsulation_key.as_bytes())
                        .unwrap(),
                    attestation: made.attestation.clone(),
                    issuer: made.issuer.clone(),
                    expected_account: Some(lab.account()),
                };
                service.encapsulate(&lab.by, &to).await.unwrap();
                let id = made.encapsulation_key.key_id();
                let info = service.key_info(lab.account(), &id).await.unwrap();
                assert_eq!(service.issuer_of(&info).await.unwrap().as_ref(), Some(&made.issuer));
            }
        }
        // The server's own keys are no account's to destroy.
        for key in expected {
            for account in [AccountId::SERVER, lab.account()] {
                let refused = lab.here.destroy_key(&By::OPERATOR, account, &key.key_id()).await;
                assert!(matches!(refused, Err(Error::UnknownKey)), "{refused:?}");
                let refused = lab.here.undestroy_key(&By::OPERATOR, account, &key.key_id()).await;
                assert!(matches!(refused, Err(Error::UnknownKey)), "{refused:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_start_takes_the_issuer_in_force() {
    on_every_lab(async |lab: &Lab, _: &Ground| {
        let rotated = lab.here.rotate_issuer(&By::OPERATOR).await.unwrap();
        let (store, host) = (Arc::clone(&lab.stores[0]), Arc::new(System));
        let key = Secret::from([7; 32]);
        let next = Service::open(store, host, key, Settings::default()).await.unwrap();
        let made = next
            .generate_key_pair(&lab.by, KemAlgorithm::MlKem512, None, |_| Ok(""))
            .await
            .unwrap()
            .0;
        assert_eq!(made.issuer.key_id(), rotated.id);
        assert_eq!(next.issuer_keys().await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn after_its_grace_a_key_does_not_come_back_and_is_removed() {
    on_every_lab(async |lab: &Lab, ground: &Ground| {
        let account = lab.account();
        let text = lab.encrypt(&lab.here).await;
        let id = id_of(&text);
        ground.set_time(at(10)).await;
        let destroyed = lab.here.destroy_key(&By::OPERATOR, account, &id).await.unwrap();
        assert_eq!(destroyed.destroyed_at, Some(at(10)));
        assert_eq!(lab.here.purge_after(&destroyed), Some(at(10 + HOUR as i64)));
        let again = lab.here.destroy_key(&By::OPERATOR, account, &id).await;
        assert!(matches!(again, Err(Error::UnknownKey)), "{again:?}");

        ground.set_time(at(9 + HOUR as i64)).await;
        assert_eq!(lab.here.purge_destroyed_keys(10).await.unwrap().keys, 0);
        lab.here.undestroy_key(&By::OPERATOR, account, &id).await.unwrap();
        lab.here.destroy_key(&By::OPERATOR, account, &id).await.unwrap();

        ground.set_time(at(9 + 2 * HOUR as i64)).await;
        let late = lab.here.undestroy_key(&By::OPERATOR, account, &id).await;
        assert!(matches!(late, Err(Error::UnknownKey)), "the purge has not come yet: {late:?}");
        lab.here.key_info(account, &id).await.unwrap();
        let purged = lab.here.purge_destroyed_keys(10).await.unwrap();
        assert_eq!((purged.keys, purged.erased), (1, true));
        let gone = lab.here.key_info(account, &id).await;
        assert!(matches!(gone, Err(Error::UnknownKey)), "{gone:?}");
        assert!(!lab.decrypts(&lab.here, &text).await);
    })
    .await;
}

#[tokio::test]
async fn without_any_grace_a_destroyed_key_is_gone_at_once() {
    on_every_ground(async |ground: Ground| {
        let lab = Lab::new(&ground, Duration::ZERO).await;
        let id = id_of(&lab.encrypt(&lab.here).await);
        let destroyed = lab.here.destroy_key(&By::OPERATOR, lab.account(), &id).await.unwrap();
        assert_eq!(lab.here.purge_after(&destroyed), destroyed.destroyed_at);
        let late = lab.here.undestroy_key(&By::OPERATOR, lab.account(), &id).await;
        assert!(matches!(late, Err(Error::UnknownKey)), "{late:?}");
        assert_eq!(lab.here.purge_destroyed_keys(10).await.unwrap().keys, 1);
        lab.close().await;
    })
    .await;
}
