//! Every call against the real server, and each refusal one step from a call that goes well.

use pqc_client::{Attempt, Custody, Error, NewKeyPair, NewToken, Refusal, SigningKeyChoice};
use pqc_core::token::{OperationSet, TokenKind};
use pqc_core::{
    Context, DecapsulationKey, Issuer, KemAlgorithm, MessageBox, Secret, SignatureAlgorithm,
    Timestamp,
};

use crate::lab::{Lab, left};

/// The refusal that a call met.
#[track_caller]
fn refused<T>(result: Result<T, Error>) -> Refusal {
    match result.map(drop) {
        Err(Error::Refused(refusal)) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn both_parties_come_to_one_key_and_use_it() {
    let lab = Lab::new().await;
    let (receiver, sender) = (lab.borrower(3).await, lab.borrower(2).await);
    let pair = receiver.generate_key_pair(&NewKeyPair::default(), &lab.pinned).await.unwrap();
    assert!(pair.secret.is_none());
    assert_eq!(pair.key.key().algorithm(), KemAlgorithm::MlKem768);
    assert_eq!(pair.key.account(), receiver.token_self().await.unwrap().account);
    assert!(lab.pinned.contains(pair.key.issuer()));

    let sent = sender.encapsulate(&pair.key).await.unwrap();
    let received = receiver.decapsulate(&sent.ciphertext, pair.key.key()).await.unwrap();
    assert!(received.ct_eq(&sent.shared_key));

    let sealed = sender.encrypt_text(TEXT, Some(&sent.shared_key), "note 7").await.unwrap();
    let text = receiver.decrypt_text(&sealed, Some(&received), "note 7").await.unwrap();
    assert_eq!(text.as_str(), TEXT);
    assert_eq!((left(&receiver).await, left(&sender).await), (0, 0));
}

#[tokio::test]
async fn every_kem_is_served_and_a_key_that_the_client_keeps_is_its_own() {
    let lab = Lab::new().await;
    let owner = lab.owner();
    for algorithm in KemAlgorithm::ALL {
        for custody in [Custody::Server, Custody::Client] {
            let request = NewKeyPair { algorithm: Some(algorithm), custody: Some(custody) };
            let pair = owner.generate_key_pair(&request, &lab.pinned).await.unwrap();
            assert_eq!(pair.key.key().algorithm(), algorithm);
            let sent = owner.encapsulate(&pair.key).await.unwrap();
            match (custody, &pair.secret) {
                (Custody::Server, None) => {
                    let key = pair.key.key();
                    let received = owner.decapsulate(&sent.ciphertext, key).await.unwrap();
                    assert!(received.ct_eq(&sent.shared_key));
                }
                (Custody::Client, Some(secret)) => {
                    let received = secret.decapsulate(&sent.ciphertext).unwrap();
                    assert!(received.as_secret().ct_eq(&sent.shared_key));
                    let there = owner.decapsulate(&sent.ciphertext, pair.key.key()).await;
                    assert_eq!(refused(there).slug(), Some("unknown-key"));
                }
                _ => panic!("{algorithm} {custody:?}"),
            }
            // The core alone does the same.
            let rng = &mut getrandom::SysRng;
            assert!(pair.key.verified().encapsulate(rng).is_ok());
        }
    }
}

#[tokio::test]
async fn a_key_by_the_word_of_another_issuer_is_not_given() {
    let lab = Lab::new().await;
    let client = lab.borrower(3).await;
    let rng = &mut getrandom::SysRng;
    let other = Issuer::generate(SignatureAlgorithm::MlDsa65, rng).unwrap();
    let other = other.verifying_key().clone();
    for pinned in [vec![], vec![other.clone()]] {
        let error = client.generate_key_pair(&NewKeyPair::default(), &pinned).await.unwrap_err();
        let why = pqc_core::Error::UntrustedIssuer;
        assert!(matches!(&error, Error::Attestation(found) if *found == why), "{error:?}");
        assert_eq!(error.attempt(), Attempt::Spent);
    }
    assert_eq!(left(&client).await, 1);
    let both = [other, lab.pinned[0].clone()];
    client.generate_key_pair(&NewKeyPair::default(), &both).await.unwrap();
}

#[tokio::test]
async fn the_published_issuers_are_those_in_force() {
    let lab = Lab::new().await;
    let published = lab.owner().published_issuers_unpinned().await.unwrap();
    assert_eq!(published, lab.pinned);
}

#[tokio::test]
async fn the_server_judges_the_issuer_for_itself() {
    let lab = Lab::new().await;
    let client = lab.borrower(1).await;
    let rng = &mut getrandom::SysRng;
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng).unwrap();
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng).unwrap();
    let key = key.encapsulation_key();
    let account = client.token_self().await.unwrap().account;
    let now = Timestamp::from_seconds(1);
    let attestation = issuer.attest(account, key, now, None, rng).unwrap();
    let pinned = [issuer.verifying_key().clone()];
    let key = pqc_client::VerifiedKey::verify(key, &attestation, &pinned, None, now).unwrap();
    let refusal = refused(client.encapsulate(&key).await);
    assert_eq!((refusal.status, refusal.slug()), (403, Some("untrusted-issuer")));
    assert_eq!((refusal.attempt, left(&client).await), (Attempt::Spent, 0));
}

#[tokio::test]
async fn what_a_token_is_told_is_what_it_is() {
    let lab = Lab::new().await;
    let owner = lab.owner();
    let about = owner.token_self().await.unwrap();
    assert_eq!((about.kind, about.attempts_left), (TokenKind::Root, None));
    let key = owner.generate_key_pair(&NewKeyPair::default(), &lab.pinned).await.unwrap();
    let key_id = key.key.key().key_id();
    let request = NewToken {
        lifetime_seconds: Some(60),
        attempts: Some(3),
        operations: Some(OperationSet::from_names(["kem.decapsulate"]).unwrap()),
        key_id: Some(key_id),
        label: Some("for the night".to_owned()),
    };
    let minted = owner.new_token(&request).await.unwrap();
    assert_eq!(minted.attempts, 3);
    let told = owner.with_token(&minted.token).unwrap().token_self().await.unwrap();
    assert_eq!((told.kind, told.account), (TokenKind::Temporary, about.account));
    assert_eq!((told.attempts, told.attempts_left), (Some(3), Some(3)));
    assert_eq!(told.operations, Some(vec!["kem.decapsulate".to_owned()]));
    assert_eq!((told.key_id, told.label.as_deref()), (Some(key_id), Some("for the night")));
    assert_eq!(told.expires_at, Some(minted.expires_at));
    assert_eq!(told.created_at.plus_seconds(60).seconds(), minted.expires_at.seconds());

    let refusal = refused(owner.new_token(&NewToken { attempts: Some(0), ..request }).await);
    assert_eq!(refusal.status, 422);
    assert_eq!(refusal.fields[0].place, "body.expire_after_attempts");
    assert!(refusal.request_id.is_some());
}

/// What is said of the attempt is what the count says.
#[tokio::test]
async fn a_refusal_says_what_became_of_the_attempt() {
    let lab = Lab::new().await;
    let owner = lab.owner();
    let operations = Some(OperationSet::from_names(["aes.decrypt", "kem.decapsulate"]).unwrap());
    let request = NewToken { attempts: Some(2), operations, ..NewToken::default() };
    let token = owner.new_token(&request).await.unwrap().token;
    let client = owner.with_token(&token).unwrap();

    let refusal = refused(client.sign(b"", "", &SigningKeyChoice::default()).await);
    assert_eq!((refusal.status, refusal.slug()), (403, Some("out-of-scope")));
    assert_eq!((refusal.attempt, left(&client).await), (Attempt::Kept, 2));

    let sealed = owner.encrypt_text(TEXT, None, "").await.unwrap();
    let mut altered = sealed.as_bytes().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let altered = MessageBox::from_bytes(altered).unwrap();
    let refusal = refused(client.decrypt_text(&altered, None, "").await);
    assert_eq!((refusal.status, refusal.slug()), (422, Some("invalid")));
    assert_eq!((refusal.attempt, left(&client).await), (Attempt::Spent, 1));

    let key = DecapsulationKey::generate(KemAlgorithm::XWing, &mut getrandom::SysRng).unwrap();
    let key = key.encapsulation_key();
    let (ciphertext, _) = key.encapsulate_unattested(&mut getrandom::SysRng).unwrap();
    let refusal = refused(client.decapsulate(&ciphertext, key).await);
    assert_eq!((refusal.status, refusal.slug()), (404, Some("unknown-key")));
    assert_eq!((refusal.attempt, left(&client).await), (Attempt::Spent, 0));

    let refusal = refused(client.decrypt_text(&sealed, None, "").await);
    assert_eq!((refusal.status, refusal.slug()), (401, Some("unauthorized")));
    assert_eq!(refusal.attempt, Attempt::Kept);
    let secret = token.expose_text();
    assert!(!format!("{refusal} {refusal:?} {client:?}").contains(&*secret));
}

#[tokio::test]
async fn texts_of_every_kind_come_back_as_they_were() {
    let lab = Lab::new().await;
    let owner = lab.owner();
    let key = Secret::from([7; 32]);
    // In JSON a control character is six, and the longest answer is one of them alone.
    for text in ["", TEXT, "\"\\/\n", &"\u{1}".repeat(200_000), &"x".repeat(1_000_000)] {
        let sealed = owner.encrypt_text(text, Some(&key), "").await.unwrap();
        assert_eq!(sealed.as_bytes().len(), text.len() + 58);
        let opened = owner.decrypt_text(&sealed, Some(&key), "").await.unwrap();
        assert!(opened.as_str() == text, "{} bytes", text.len());
    }
    let sealed = owner.encrypt_text(TEXT, Some(&key), "right").await.unwrap();
    for (key, data) in [(Some(&key), "wrong"), (None, "right"), (Some(&[8; 32].into()), "right")] {
        assert_eq!(refused(owner.decrypt_text(&sealed, key, data).await).status, 422);
    }
}

#[tokio::test]
async fn a_signature_is_one_that_anyone_verifies() {
    let lab = Lab::new().await;
    let owner = lab.owner();
    for (algorithm, data, context) in [
        (None, b"".as_slice(), ""),
        (Some(SignatureAlgorithm::MlDsa44), TEXT.as_bytes(), "example.org/release"),
        (Some(SignatureAlgorithm::MlDsa87), &[0, 0xff, 0xfe], ""),
        (None, &[7; 300_000], "z\u{142}oty"),
    ] {
        let by = SigningKeyChoice { key_id: None, algorithm };
        let signed = owner.sign(data, context, &by).await.unwrap();
        let expected = algorithm.unwrap_or(SignatureAlgorithm::MlDsa65);
        assert_eq!(signed.key.algorithm(), expected);
        let in_context = Context::new(context.as_bytes()).unwrap();
        assert!(signed.key.verify(data, in_context, &signed.signature));
        let key_id = Some(signed.key.key_id());
        let again = SigningKeyChoice { key_id, algorithm: None };
        assert_eq!(owner.sign(data, context, &again).await.unwrap().key, signed.key);

        let verify = async |data: &[u8], context: &str| {
            owner.verify(data, context, &signed.key, &signed.signature).await.unwrap()
        };
        assert!(verify(data, context).await);
        assert!(!verify(b"other data", context).await);
        assert!(!verify(data, "another context").await);
    }
    let data = vec![7; 600_000];
    let refusal = refused(owner.sign(&data, "", &SigningKeyChoice::default()).await);
    assert_eq!((refusal.status, refusal.attempt), (413, Attempt::Kept));
}

const TEXT: &str = "Meet me at noon. Zażółć gęślą jaźń, 你好 🔑";
