//! What is wrong with a log.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::chain::{ChainHead, ChainId};
use super::checkpoint::Checkpoint;
use super::entry::Entry;
use crate::sign::VerifyingKey;
use crate::time::Timestamp;

/// Goes through a log: first all its checkpoints, those that were kept elsewhere too, then its
/// rows, each chain's in their order.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<VerifyingKey>,
    last: Option<(u64, [u8; 32])>,
    /// The hash that a checkpoint states, by its chain and the number of the entry.
    stated: BTreeMap<ChainId, BTreeMap<u64, [u8; 32]>>,
    hashes: BTreeMap<u64, [u8; 32]>,
    /// Where each chain is; `None`: it is broken, which was told.
    at: BTreeMap<ChainId, Option<ChainHead>>,
    report: Report,
}

/// What was gone through, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many rows there are.
    pub rows: u64,
    /// How many chains.
    pub chains: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// How many rows no checkpoint covers: those are bound to what is before them, but could have
    /// been cut off or added at the end of their chain.
    pub uncovered: u64,
    /// The time of the last checkpoint.
    pub covered_until: Option<Timestamp>,
    /// What is wrong; nothing, if the log is whole.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// Rows are not there that a checkpoint states, or that come before a row.
    #[error("rows {from} to {to} of chain {chain} are missing, or not in their place")]
    MissingRows {
        /// Their chain.
        chain: ChainId,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// A row comes for the second time, or after one that it belongs before.
    #[error("row {number} of chain {chain} comes again, or out of order")]
    OutOfOrder {
        /// Its chain.
        chain: ChainId,
        /// Its number.
        number: u64,
    },
    /// A row is not what was written, or something before it is not.
    #[error("row {number} of chain {chain} was changed: its hash is another")]
    ChangedRow {
        /// Its chain.
        chain: ChainId,
        /// Its number.
        number: u64,
    },
    /// The chain is not the one that was signed: it was made anew.
    #[error("checkpoint {checkpoint} states another row {number} of chain {chain}")]
    OtherRow {
        /// The checkpoint.
        checkpoint: u64,
        /// The chain.
        chain: ChainId,
        /// The row.
        number: u64,
    },
    /// Checkpoints are not there.
    #[error("checkpoints {from} to {to} are missing, or not in their place")]
    MissingCheckpoints {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// A checkpoint does not follow the one before it.
    #[error("checkpoint {number} does not follow the one before it")]
    LooseCheckpoint {
        /// Its number.
        number: u64,
    },
    /// A checkpoint is not signed by a key that is trusted.
    #[error("checkpoint {number} is not signed by the key of checkpoints")]
    ForgedCheckpoint {
        /// Its number.
        number: u64,
    },
    /// The log does not have a checkpoint that was kept elsewhere: it was cut off, or is another.
    #[error("checkpoint {number}, which was kept elsewhere, is not in the log")]
    LostCheckpoint {
        /// Its number.
        number: u64,
    },
}

impl Verifier {
    /// Trusts the word of these keys.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            last: None,
            stated: BTreeMap::new(),
            hashes: BTreeMap::new(),
            at: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Takes the log's next checkpoint, in the order of their numbers.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        let number = checkpoint.number();
        if !self.keys.iter().any(|key| checkpoint.is_by(key)) {
            self.report.findings.push(Finding::ForgedCheckpoint { number });
            return;
        }
        let (last, hash) = self.last.unwrap_or_default();
        let next = last.saturating_add(1);
        if number > next {
            let to = number.saturating_sub(1);
            self.report.findings.push(Finding::MissingCheckpoints { from: next, to });
        } else if number < next || *checkpoint.before() != hash {
            self.report.findings.push(Finding::LooseCheckpoint { number });
        }
        let own = checkpoint.hash();
        self.last = Some((number.max(last), own));
        self.hashes.insert(number, own);
        self.report.checkpoints = self.report.checkpoints.saturating_add(1);
        self.report.covered_until = self.report.covered_until.max(Some(checkpoint.time()));
        self.state(checkpoint);
    }

    /// Takes a checkpoint that was kept elsewhere, after all of the log's.
    pub fn kept_elsewhere(&mut self, checkpoint: &Checkpoint) {
        let number = checkpoint.number();
        if !self.keys.iter().any(|key| checkpoint.is_by(key)) {
            self.report.findings.push(Finding::ForgedCheckpoint { number });
            return;
        }
        if self.hashes.get(&number) != Some(&checkpoint.hash()) {
            self.report.findings.push(Finding::LostCheckpoint { number });
            self.state(checkpoint);
        }
    }

    fn state(&mut self, checkpoint: &Checkpoint) {
        let ChainHead { chain, number, hash } = *checkpoint.head();
        let known = self.stated.entry(chain).or_default().insert(number, hash);
        if known.is_some_and(|known| known != hash) {
            let checkpoint = checkpoint.number();
            self.report.findings.push(Finding::OtherRow { checkpoint, chain, number });
        }
    }

    /// Takes a row: its entry, and where it says it stands.
    pub fn row(&mut self, place: &ChainHead, entry: &Entry) {
        let ChainHead { chain, number, .. } = *place;
        self.report.rows = self.report.rows.saturating_add(1);
        let before = match self.at.get(&chain) {
            None => {
                self.report.chains = self.report.chains.saturating_add(1);
                ChainHead::begin(chain)
            }
            Some(None) => return,
            Some(Some(head)) => *head,
        };
        let broken = self.follow(&before, place, entry).err();
        self.at.insert(chain, broken.is_none().then_some(*place));
        // Each chain is told of once: after a break nothing holds.
        self.report.findings.extend(broken);
        if let Some(stated) = self.stated.get(&chain) {
            match stated.keys().next_back() {
                Some(covered) if number <= *covered => return,
                _ => {}
            }
        }
        self.report.uncovered = self.report.uncovered.saturating_add(1);
    }

    fn follow(&self, before: &ChainHead, place: &ChainHead, entry: &Entry) -> Result<(), Finding> {
        let ChainHead { chain, number, hash } = *place;
        let next = before.number.saturating_add(1);
        if number > next {
            let to = number.saturating_sub(1);
            return Err(Finding::MissingRows { chain, from: next, to });
        }
        if number < next {
            return Err(Finding::OutOfOrder { chain, number });
        }
        if before.after(&entry.to_bytes()).hash != hash {
            return Err(Finding::ChangedRow { chain, number });
        }
        match self.stated.get(&chain).and_then(|stated| stated.get(&number)) {
            Some(stated) if *stated != hash => Err(Finding::ChangedRow { chain, number }),
            _ => Ok(()),
        }
    }

    /// After the last row.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let mut chains: BTreeSet<_> = self.stated.keys().copied().collect();
        chains.extend(self.at.keys().copied());
        for chain in chains {
            let reached = match self.at.get(&chain) {
                Some(None) => continue,
                Some(Some(head)) => head.number,
                None => 0,
            };
            let stated = self.stated.get(&chain).and_then(|stated| stated.keys().next_back());
            if let Some(to) = stated.copied().filter(|stated| *stated > reached) {
                let from = reached.saturating_add(1);
                self.report.findings.push(Finding::MissingRows { chain, from, to });
            }
        }
        self.report
    }
}
