//! An allocator that reads each block before it is freed, and looks for secrets in it.
//!
//! A secret is looked for by its pieces of 16 bytes, at every offset of a block: any 31 bytes of
//! it that were left in one place are found. Blocks of the watching thread alone are read.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

/// The system's allocator, which shows what is freed to the watch that is set.
pub(crate) struct Reading;

#[expect(unsafe_code, reason = "an allocator is the one place that sees what is freed")]
// SAFETY: each call is the system allocator's own, with the layout it was given.
unsafe impl GlobalAlloc for Reading {
    /// Zeroed, so that reading a block that was never written is defined, and finds nothing that
    /// another owner left there.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc_zeroed(layout) }
    }

    // `realloc` is left as the trait has it: a block that moves is freed here.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(watch) = WATCH.get() {
            let freed = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            watch.read(freed);
        }
        unsafe { System.dealloc(block, layout) }
    }
}

thread_local! {
    /// Without a destructor and without allocation: an allocator may read it.
    static WATCH: Cell<Option<&'static Watch>> = const { Cell::new(None) };
}

const PIECE_BYTES: usize = 16;

/// What to look for, and what was found.
struct Watch {
    /// Pieces of secrets, sorted, each with the index of its secret's name.
    pieces: Vec<([u8; PIECE_BYTES], usize)>,
    names: Vec<&'static str>,
    /// How many of the freed blocks held a piece of the secret of that index.
    found: Vec<Cell<usize>>,
    blocks: Cell<usize>,
}

impl Watch {
    /// Neither allocates nor panics: an allocator runs it.
    fn read(&self, freed: &[u8]) {
        self.blocks.set(self.blocks.get() + 1);
        for window in freed.windows(PIECE_BYTES) {
            if let Ok(at) = self.pieces.binary_search_by(|(piece, _)| piece.as_slice().cmp(window))
                && let Some((_, name)) = self.pieces.get(at)
                && let Some(found) = self.found.get(*name)
            {
                found.set(found.get() + 1);
            }
        }
    }
}

/// The secrets of one run, by name.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    /// Adds a secret of 16 bytes or more.
    pub(crate) fn with(mut self, name: &'static str, secret: &[u8]) -> Self {
        assert!(secret.len() >= PIECE_BYTES, "{name} is too short to be looked for");
        self.0.push((name, secret.to_vec()));
        self
    }
}

/// What a watched run left behind.
#[derive(Debug)]
pub(crate) struct Left {
    /// How many pieces of each secret stood in blocks as they were freed; empty is the aim.
    pub(crate) pieces: BTreeMap<&'static str, usize>,
    /// How many blocks were freed and read.
    pub(crate) blocks: usize,
}

/// Runs `work` and drops what it returns, while each block that this thread frees is read.
pub(crate) fn left_by<T>(secrets: &Secrets, work: impl FnOnce() -> T) -> Left {
    let mut pieces = Vec::new();
    for (index, (_, secret)) in secrets.0.iter().enumerate() {
        let (whole, _) = secret.as_chunks::<PIECE_BYTES>();
        // Runs of one byte, such as zeros, are no secret, and stand in many a block.
        let telling = whole.iter().filter(|piece| piece.iter().any(|byte| *byte != piece[0]));
        pieces.extend(telling.map(|piece| (*piece, index)));
    }
    pieces.sort_unstable();
    // Leaked: the watch itself must not be among the blocks that are freed.
    let watch: &'static Watch = Box::leak(Box::new(Watch {
        pieces,
        names: secrets.0.iter().map(|(name, _)| *name).collect(),
        found: vec![Cell::new(0); secrets.0.len()],
        blocks: Cell::new(0),
    }));
    WATCH.set(Some(watch));
    drop(work());
    WATCH.set(None);
    let found = watch.names.iter().copied().zip(watch.found.iter().map(Cell::get));
    Left { pieces: found.filter(|(_, count)| *count > 0).collect(), blocks: watch.blocks.get() }
}
