//! The audit log: one encoding for each entry, and no change to a signed log that goes unseen.

use pqc_core::audit::{
    Actor, ChainHead, ChainId, Checkpoint, CheckpointKey, Entry, Finding, Report, Verifier,
};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId, VerifyingKey};
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[a-z._ é]{1,40}"
}

prop_compose! {
    fn entry()(
        time in any::<u64>(),
        actor in prop_oneof![
            Just(Actor::Server),
            Just(Actor::Operator),
            any::<[u8; 16]>().prop_map(|id| Actor::Token(TokenId::from_bytes(id))),
        ],
        account in any::<Option<[u8; 16]>>(),
        key in prop_oneof![
            Just(None),
            any::<[u8; 16]>().prop_map(|id| Some(KeyId::Symmetric(id))),
            any::<[u8; 32]>().prop_map(|id| Some(KeyId::Pair(id))),
        ],
        token in any::<Option<[u8; 16]>>(),
        (act, outcome) in (text(), text()),
        (detail, request_id) in (proptest::option::of(text()), proptest::option::of(text())),
    ) -> Entry {
        Entry {
            time: Timestamp::from_millis(time),
            actor,
            account: account.map(AccountId::from_bytes),
            key,
            token: token.map(TokenId::from_bytes),
            act: act.into(),
            outcome: outcome.into(),
            detail,
            request_id,
        }
    }
}

proptest! {
    #[test]
    fn an_entry_comes_back_from_its_one_encoding(entry in entry()) {
        let bytes = entry.to_bytes();
        prop_assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
        for cut in 0..bytes.len() {
            prop_assert!(Entry::from_bytes(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn what_is_read_as_an_entry_is_the_encoding_of_it(
        entry in entry(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut bytes = entry.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = Entry::from_bytes(&bytes) {
            prop_assert_eq!(other.to_bytes(), bytes);
            prop_assert_ne!(other, entry);
        }
    }
}

/// A log of two chains, each signed twice, with two rows after that.
struct Log {
    key: CheckpointKey,
    checkpoints: Vec<Checkpoint>,
    rows: Vec<(ChainHead, Entry)>,
}

impl Log {
    fn new() -> Self {
        let rng = &mut getrandom::SysRng;
        let key = CheckpointKey::generate(rng).unwrap();
        let (mut checkpoints, mut rows) = (Vec::<Checkpoint>::new(), Vec::new());
        let mut heads = [1, 2].map(|n| ChainHead::begin(ChainId::from_bytes([n; 16])));
        for round in 0..3_u64 {
            for head in &mut heads {
                for row in 0..4_u64 {
                    let time = Timestamp::from_millis(1000 * round + row);
                    let entry = Entry::new(time, "sign", Actor::Server);
                    *head = head.after(&entry.to_bytes());
                    rows.push((*head, entry));
                }
                if round < 2 {
                    let now = Timestamp::from_millis(1000 * (round + 1));
                    checkpoints.push(key.sign(checkpoints.last(), head, now, rng).unwrap());
                }
            }
        }
        rows.sort_by_key(|(head, _)| (head.chain, head.number));
        Self { key, checkpoints, rows }
    }

    fn verify(&self) -> Report {
        self.verify_against(&[])
    }

    fn verify_against(&self, kept: &[Checkpoint]) -> Report {
        verify(self.key.verifying_key(), &self.checkpoints, &self.rows, kept)
    }
}

fn verify(
    key: &VerifyingKey,
    checkpoints: &[Checkpoint],
    rows: &[(ChainHead, Entry)],
    kept: &[Checkpoint],
) -> Report {
    let mut verifier = Verifier::new([key.clone()]);
    checkpoints.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint));
    kept.iter().for_each(|checkpoint| verifier.kept_elsewhere(checkpoint));
    rows.iter().for_each(|(head, entry)| verifier.row(head, entry));
    verifier.finish()
}

/// How many rows of each chain are signed.
const COVERED: usize = 8;

#[test]
fn a_log_that_is_whole_has_nothing_wrong() {
    let log = Log::new();
    let report = log.verify_against(&log.checkpoints.clone());
    assert_eq!(report.findings, []);
    assert_eq!((report.rows, report.chains, report.checkpoints), (24, 2, 4));
    assert_eq!(report.uncovered, 8);
    assert_eq!(report.covered_until, Some(Timestamp::from_millis(2000)));
}

#[test]
fn a_row_that_is_removed_or_comes_twice_is_found_wherever_it_was() {
    for place in 0..24 {
        let mut log = Log::new();
        let removed = log.rows.remove(place);
        // The last rows of a chain that nothing covers can be cut off.
        let is_last = removed.0.number == 12;
        assert_eq!(log.verify().findings.is_empty(), is_last, "removed {place}");
        log.rows.insert(place, removed.clone());
        log.rows.insert(place, removed);
        assert_ne!(log.verify().findings, [], "twice {place}");
    }
}

#[test]
fn a_row_that_is_changed_is_found_with_its_number() {
    for place in 0..24 {
        let mut log = Log::new();
        let (head, entry) = &mut log.rows[place];
        entry.outcome = "refused".into();
        let (chain, number) = (head.chain, head.number);
        assert_eq!(log.verify().findings, [Finding::ChangedRow { chain, number }], "{place}");
    }
}

#[test]
fn a_chain_that_is_made_anew_after_a_change_is_found_by_what_was_signed() {
    for changed in 0..COVERED {
        let mut log = Log::new();
        log.rows[changed].1.actor = Actor::Operator;
        let mut head = ChainHead::begin(log.rows[0].0.chain);
        for (place, entry) in log.rows.iter_mut().take(12) {
            head = head.after(&entry.to_bytes());
            *place = head;
        }
        let [Finding::ChangedRow { number, .. }] = log.verify().findings[..] else {
            panic!("{changed}: {:?}", log.verify())
        };
        assert_eq!(number, if changed < 4 { 4 } else { 8 }, "the row that was signed");
    }
}

#[test]
fn rows_in_another_order_or_another_chain_are_found() {
    for place in 0..23 {
        let mut log = Log::new();
        log.rows.swap(place, place + 1);
        // Of two chains, one can come before the other.
        let is_whole = place == 11 && log.verify().findings.is_empty();
        assert!(is_whole || !log.verify().findings.is_empty(), "{place}");
    }
    let mut log = Log::new();
    let moved = log.rows[13].1.clone();
    log.rows[1].1 = Entry { time: Timestamp::from_millis(7), ..moved };
    assert_ne!(log.verify().findings, []);
}

#[test]
fn a_chain_that_is_gone_is_found_and_one_that_was_added_is_not_covered() {
    let mut log = Log::new();
    log.rows.drain(12..);
    assert!(matches!(log.verify().findings[..], [Finding::MissingRows { from: 1, to: 8, .. }]));

    let mut log = Log::new();
    let entry = Entry::new(Timestamp::from_millis(1), "sign", Actor::Server);
    let head = ChainHead::begin(ChainId::from_bytes([9; 16])).after(&entry.to_bytes());
    log.rows.push((head, entry));
    let report = log.verify();
    assert_eq!((report.findings, report.uncovered), (vec![], 9));
}

#[test]
fn what_was_cut_off_with_its_checkpoints_is_found_by_those_that_were_kept() {
    let mut log = Log::new();
    let kept = log.checkpoints.split_off(2);
    log.rows.retain(|(head, _)| head.number <= 4);
    assert_eq!(log.verify().findings, [], "nobody can tell");
    let report = log.verify_against(&kept[1..]);
    let lost = |finding: &Finding| matches!(finding, Finding::LostCheckpoint { number: 4 });
    let missing = |finding: &Finding| matches!(finding, Finding::MissingRows { from: 5, .. });
    assert!(report.findings.iter().any(lost) && report.findings.iter().any(missing));
}

#[test]
fn checkpoints_that_are_gone_forged_or_out_of_order_are_found() {
    for place in 0..3 {
        let mut log = Log::new();
        log.checkpoints.remove(place);
        assert_ne!(log.verify().findings, [], "removed {place}");
        let mut log = Log::new();
        log.checkpoints.swap(place, place + 1);
        assert_ne!(log.verify().findings, [], "swapped {place}");
    }
    for place in 0..4_usize {
        let mut log = Log::new();
        let other = CheckpointKey::generate(&mut getrandom::SysRng).unwrap();
        let before = place.checked_sub(1).map(|before| &log.checkpoints[before]);
        let head = *log.checkpoints[place].head();
        let forged = other.sign(before, &head, Timestamp::from_millis(1), &mut getrandom::SysRng);
        log.checkpoints[place] = forged.unwrap();
        let number = place as u64 + 1;
        assert!(log.verify().findings.contains(&Finding::ForgedCheckpoint { number }));
    }
    // Every byte is signed.
    let log = Log::new();
    let honest = log.checkpoints[0].to_bytes();
    for at in (0..Checkpoint::BYTES).step_by(37).chain(0..114) {
        let mut bytes = honest.clone();
        bytes[at] ^= 1;
        if let Ok(changed) = Checkpoint::from_bytes(&bytes) {
            assert!(!changed.is_by(log.key.verifying_key()), "{at}");
        }
    }
}

#[test]
fn a_checkpoint_is_no_word_of_an_issuer_or_an_account() {
    // Another context, the same key and bytes.
    let rng = &mut getrandom::SysRng;
    let key = CheckpointKey::generate(rng).unwrap();
    let head = ChainHead::begin(ChainId::from_bytes([1; 16])).after(b"");
    let checkpoint = key.sign(None, &head, Timestamp::from_millis(1), rng).unwrap().to_bytes();
    let (said, signature) = checkpoint.split_at(Checkpoint::BYTES - 3309);
    let signature = pqc_core::Signature::from_bytes(signature).unwrap();
    let verifies = |context: &[u8]| {
        let context = pqc_core::Context::new(context).unwrap();
        key.verifying_key().verify(said, context, &signature)
    };
    assert!(verifies(b"pqc/v1/audit-checkpoint"));
    assert!(!verifies(b"") && !verifies(b"pqc/v1/attestation"));
}
