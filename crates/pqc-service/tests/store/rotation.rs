//! Master keys change while services serve.

use pqc_service::audit::{Use, WrittenDown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pqc_core::token::Demand;
use pqc_core::{EncapsulationKey, KemAlgorithm, Secret, SecretVec, UnverifiedKey};
use pqc_service::authorize::Admitted;
use pqc_service::keyring::SigningKeyChoice;
use pqc_service::{By, Custody, Error, MasterSecret, Service, Settings, Store, System};
use tokio::task::JoinSet;

use crate::ground::{Ground, on_every_ground};

fn key(byte: u8) -> MasterSecret {
    Secret::from([byte; 32]).into()
}

fn passphrase(text: &str) -> MasterSecret {
    MasterSecret::Passphrase(SecretVec::copy_of(text.as_bytes()))
}

async fn try_open(ground: &Ground, secret: MasterSecret) -> Result<Arc<Service>, Error> {
    let store: Arc<dyn Store> = ground.open().await;
    Service::open(store, Arc::new(System), secret, Settings::default()).await.map(Arc::new)
}

async fn open(ground: &Ground, secret: MasterSecret) -> Arc<Service> {
    try_open(ground, secret).await.unwrap()
}

/// An account, and whoever acts for it.
async fn caller(service: &Service, name: &str) -> Admitted {
    let pending = service.prepare_account(name, Custody::Server).await.unwrap();
    let token = service.create_account(&By::OPERATOR, pending).await.unwrap();
    let caller = service.authenticate(&token.expose_text()).await.unwrap();
    service
        .spend(caller.authorize(Demand::Root).unwrap(), Use::new("sign", WrittenDown::IfAll))
        .await
        .unwrap()
}

async fn generate(service: &Service, by: &Admitted) -> EncapsulationKey {
    let pair =
        service.generate_key_pair(by, KemAlgorithm::MlKem512, None, |_| Ok("")).await.unwrap().0;
    pair.encapsulation_key
}

async fn decapsulate(service: &Service, by: &Admitted, to: &EncapsulationKey) -> Result<(), Error> {
    let (ciphertext, sent) = to.encapsulate_unattested(&mut getrandom::SysRng).unwrap();
    let named = UnverifiedKey::from_bytes(to.as_bytes()).unwrap();
    let got = service.decapsulate(by, &named, &ciphertext).await?;
    assert!(sent.ct_eq(&got));
    Ok(())
}

/// Everything that takes a stored key.
async fn use_all(service: &Service, by: &Admitted, pair: &EncapsulationKey) {
    decapsulate(service, by, pair).await.unwrap();
    let text = || SecretVec::copy_of(b"text");
    let sealed = service.encrypt(by, None, text(), vec![]).await.unwrap();
    let opened = service.decrypt(by, None, sealed, vec![]).await.unwrap();
    assert_eq!(opened.expose_bytes(), b"text");
    service.sign(by, SigningKeyChoice::default(), text(), vec![]).await.unwrap();
}

fn is_retired(opened: &Result<Arc<Service>, Error>) -> bool {
    matches!(opened, Err(Error::RetiredMasterKey { version: 1, in_force: 2, .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_while_a_rotation_runs() {
    on_every_ground(async |ground: Ground| {
        let services = [open(&ground, key(1)).await, open(&ground, key(1)).await];
        let idle = open(&ground, key(1)).await;
        let (done, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut callers = JoinSet::new();
        for n in 0..4 {
            let (own, other) = (Arc::clone(&services[n % 2]), Arc::clone(&services[(n + 1) % 2]));
            let (done, begun) = (Arc::clone(&done), Arc::clone(&begun));
            callers.spawn(async move {
                let by = caller(&own, &format!("account-{n}")).await;
                let first = generate(&own, &by).await;
                let mut pairs = vec![first];
                while !done.load(Ordering::Relaxed) {
                    pairs.push(generate(&own, &by).await);
                    use_all(&other, &by, &pairs[0]).await;
                    use_all(&own, &by, &pairs[pairs.len() - 1]).await;
                    begun.fetch_add(usize::from(pairs.len() == 2), Ordering::Relaxed);
                    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
                }
                (by, pairs)
            });
        }
        while begun.load(Ordering::Relaxed) < 4 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let rotator = open(&ground, key(1)).await;
        let rotation = rotator.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap().unwrap();
        assert_eq!((rotation.from, rotation.to, rotation.resumed), (1, 2, false));
        let late = open(&ground, key(2)).await;
        assert!(rotator.complete_rotation(&By::OPERATOR, rotation).await.unwrap() >= 4);
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        done.store(true, Ordering::Relaxed);
        let callers = callers.join_all().await;

        let made: u64 = callers.iter().map(|(_, pairs)| pairs.len() as u64 + 2).sum();
        let status = rotator.master_key_status().await.unwrap();
        let keys = (status[0].keys, status[1].keys);
        assert_eq!(keys, (0, made + 2), "with the keys of the issuer and of checkpoints");
        assert!(status[0].superseded_at.is_some() && !status[0].rotating && !status[1].rotating);
        assert!(is_retired(&try_open(&ground, key(1)).await));
        let fresh = open(&ground, key(2)).await;
        for (by, pairs) in &callers {
            for service in [&services[0], &services[1], &idle, &late, &fresh] {
                service.ready().await.unwrap();
                use_all(service, by, &pairs[0]).await;
            }
            for pair in pairs {
                decapsulate(&fresh, by, pair).await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_left_half_done_is_carried_on() {
    on_every_ground(async |ground: Ground| {
        let service = open(&ground, key(1)).await;
        let by = caller(&service, "alice").await;
        let pair = generate(&service, &by).await;
        use_all(&service, &by, &pair).await;
        service.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap();

        // Either key opens the store, and another none of it.
        for secret in [key(1), key(2)] {
            use_all(&*open(&ground, secret).await, &by, &pair).await;
        }
        let wrong = try_open(&ground, key(3)).await;
        assert!(matches!(wrong, Err(Error::WrongMasterKey)), "{wrong:?}");
        let before = service.master_key_status().await.unwrap();
        for other in [key(1), key(3), passphrase("another way altogether")] {
            let refused = service.begin_rotation(&By::OPERATOR, &other).await;
            assert!(matches!(refused, Err(Error::RotationUnderWay { to: 2 })), "{refused:?}");
        }
        assert_eq!(service.master_key_status().await.unwrap(), before);

        // Two carry it on at once, each opened by another key.
        let both = [open(&ground, key(1)).await, open(&ground, key(2)).await];
        let mut ends = JoinSet::new();
        for service in both {
            ends.spawn(async move {
                let rotation =
                    service.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap().unwrap();
                assert!(rotation.resumed);
                service.complete_rotation(&By::OPERATOR, rotation).await.unwrap()
            });
        }
        ends.join_all().await;
        assert!(is_retired(&try_open(&ground, key(1)).await));
        let service = open(&ground, key(2)).await;
        use_all(&service, &by, &pair).await;
        let before = service.master_key_status().await.unwrap();
        assert_eq!(
            service.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap(),
            None,
            "it has ended"
        );
        let refused = service.begin_rotation(&By::OPERATOR, &key(1)).await;
        let expected = matches!(refused, Err(Error::UsedMasterKey { version: 1, in_force: 2 }));
        assert!(expected, "{refused:?}");
        assert_eq!(service.master_key_status().await.unwrap(), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_under_a_retired_master_key_does_not_open() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = open(&ground, key(1)).await;
        let by = caller(&service, "alice").await;
        let (put_back, sound) = (generate(&service, &by).await, generate(&service, &by).await);
        let id = put_back.key_id();
        let old = store.key(by.account_id(), &id).await.unwrap().unwrap().sealed;
        let rotation = service.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap().unwrap();
        service.complete_rotation(&By::OPERATOR, rotation).await.unwrap();
        decapsulate(&service, &by, &put_back).await.unwrap();

        let hex = (hex::encode(old.as_bytes()), hex::encode(id.as_bytes()));
        let sql = format!("UPDATE keys SET sealed = x'{}' WHERE id = x'{}'", hex.0, hex.1);
        assert_eq!(ground.execute(&sql, &sql.replace("x'", r"'\x")).await, 1);
        for service in [service, open(&ground, key(2)).await] {
            let refused = decapsulate(&service, &by, &put_back).await;
            let unknown = pqc_core::Error::UnknownMasterKey { version: 1 };
            assert!(matches!(refused, Err(Error::Core(error)) if error == unknown));
            decapsulate(&service, &by, &sound).await.unwrap(); // the twin
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_open_holds_the_rotation_up() {
    on_every_ground(async |ground: Ground| {
        let service = open(&ground, key(1)).await;
        let by = caller(&service, "alice").await;
        let (broken, sound) = (generate(&service, &by).await, generate(&service, &by).await);
        let id = hex::encode(broken.key_id().as_bytes());
        // Of the same length, under the same master key, and nothing in it.
        let sql = format!(
            "UPDATE keys SET sealed = x'010100000001{}' WHERE id = x'{id}'",
            "00".repeat(104)
        );
        ground.damage(&sql).await;
        let rotation = service.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap().unwrap();
        let blocked = service.complete_rotation(&By::OPERATOR, rotation).await;
        assert!(matches!(blocked, Err(Error::RotationBlocked { count: 1, .. })), "{blocked:?}");
        for secret in [key(1), key(2)] {
            decapsulate(&*open(&ground, secret).await, &by, &sound).await.unwrap();
        }
        ground.damage(&format!("DELETE FROM keys WHERE id = x'{id}'")).await;
        let rotation = service.begin_rotation(&By::OPERATOR, &key(2)).await.unwrap().unwrap();
        service.complete_rotation(&By::OPERATOR, rotation).await.unwrap();
        assert!(is_retired(&try_open(&ground, key(1)).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_opens_what_it_was_given_for() {
    on_every_ground(async |ground: Ground| {
        let ground = Arc::new(ground);
        let mut opening = JoinSet::new();
        for _ in 0..3 {
            let ground = Arc::clone(&ground);
            opening.spawn(async move { open(&ground, passphrase("a sentence of mine")).await });
        }
        let services = opening.join_all().await;
        let by = caller(&services[0], "alice").await;
        let pair = generate(&services[0], &by).await;
        for service in &services {
            use_all(service, &by, &pair).await;
        }
        use_all(&*open(&ground, passphrase("a sentence of mine")).await, &by, &pair).await;
        for (secret, why) in [
            (passphrase("another sentence"), "the master key does not open this store"),
            (passphrase("too short"), "passphrase must be 15 to 1024 bytes"),
            (key(1), "made from a passphrase"),
        ] {
            let refused = try_open(&ground, secret).await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        let short = services[0].begin_rotation(&By::OPERATOR, &passphrase("too short")).await;
        assert!(matches!(short, Err(Error::Core(_))), "{short:?}");
        let same =
            services[0].begin_rotation(&By::OPERATOR, &passphrase("a sentence of mine")).await;
        assert!(matches!(same, Err(Error::UsedMasterKey { .. })), "{same:?}");
        assert_eq!(services[0].master_key_status().await.unwrap().len(), 1);

        // To a key, and to a passphrase again.
        let rotation = services[0].begin_rotation(&By::OPERATOR, &key(1)).await.unwrap().unwrap();
        for secret in [passphrase("a sentence of mine"), key(1)] {
            use_all(&*open(&ground, secret).await, &by, &pair).await;
        }
        services[0].complete_rotation(&By::OPERATOR, rotation).await.unwrap();
        assert!(is_retired(&try_open(&ground, passphrase("a sentence of mine")).await));
        let other = try_open(&ground, passphrase("another sentence")).await;
        assert!(matches!(other, Err(Error::OtherMasterKeyForm { .. })), "{other:?}");
        let service = open(&ground, key(1)).await;
        service.begin_rotation(&By::OPERATOR, &passphrase("another sentence")).await.unwrap();
        let resumed = service
            .begin_rotation(&By::OPERATOR, &passphrase("another sentence"))
            .await
            .unwrap()
            .unwrap();
        assert!(resumed.resumed);
        use_all(&*open(&ground, passphrase("another sentence")).await, &by, &pair).await;
        let status = service.master_key_status().await.unwrap();
        let made: Vec<_> = status.iter().map(|key| key.from_passphrase).collect();
        assert_eq!(made, [true, false, true]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_missed_a_rotation_says_so_and_stores_nothing() {
    on_every_ground(async |ground: Ground| {
        let service = open(&ground, key(1)).await;
        let by = caller(&service, "alice").await;
        let pair = generate(&service, &by).await;
        service.ready().await.unwrap();
        // As a rotation leaves it that began and ended while this service did not look.
        let sql = "UPDATE master_keys SET superseded_at = created_at WHERE version = 1; \
             INSERT INTO master_keys (version, check_value, created_at) \
             SELECT 2, check_value, created_at FROM master_keys WHERE version = 1";
        ground.execute(sql, sql).await;
        let new = service.generate_key_pair(&by, KemAlgorithm::MlKem512, None, |_| Ok("")).await;
        let refused = matches!(new, Err(Error::RetiredMasterKey { version: 1, in_force: 2, .. }));
        assert!(refused, "{new:?}");
        let unready = service.ready().await;
        assert!(matches!(unready, Err(Error::Unavailable(_))), "{unready:?}");
        // What is sealed under the key that it has still opens.
        decapsulate(&service, &by, &pair).await.unwrap();
        let stored = service.keys(by.account_id(), None, 10).await.unwrap();
        assert_eq!(stored.len(), 1, "no second key under the retired one");
    })
    .await;
}
