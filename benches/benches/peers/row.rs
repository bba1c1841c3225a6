//! A row: one call of the core, and the same work by others.

use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    rounds: usize,
    /// The least time of a call's turn.
    turn: Duration,
}

impl Extent {
    pub(crate) const FULL: Self = Self { rounds: 11, turn: Duration::from_millis(20) };
    pub(crate) const SHORT: Self = Self { rounds: 3, turn: Duration::from_millis(2) };
    pub(crate) const ONCE: Self = Self { rounds: 1, turn: Duration::ZERO };
}

/// At least as fast as the fastest other.
pub(crate) const NO_SLOWER: f64 = 1.0;
/// At most 2 % over the backend called directly.
pub(crate) const NO_OVERHEAD: f64 = 0.98;

type Call = Box<dyn FnMut()>;

pub(crate) struct Row {
    pub(crate) name: String,
    core: Call,
    others: Vec<(&'static str, Call)>,
    goal: f64,
}

impl Row {
    /// `core` has to reach `goal`: so many times as fast as the fastest of the others.
    pub(crate) fn new(name: impl Into<String>, goal: f64, core: impl FnMut() + 'static) -> Self {
        Self { name: name.into(), core: Box::new(core), others: Vec::new(), goal }
    }

    pub(crate) fn beside(mut self, name: &'static str, other: impl FnMut() + 'static) -> Self {
        self.others.push((name, Box::new(other)));
        self
    }

    /// Measures, and gives the columns.
    pub(crate) fn measure(mut self, extent: Extent) -> String {
        let count = calls_of_a_turn(&mut self.core, extent);
        let counts: Vec<_> =
            self.others.iter_mut().map(|(_, call)| calls_of_a_turn(call, extent)).collect();
        let mut core = Vec::new();
        let mut others = vec![Vec::new(); self.others.len()];
        for _ in 0..extent.rounds {
            core.push(time(&mut self.core, count));
            for (((_, call), count), times) in self.others.iter_mut().zip(&counts).zip(&mut others)
            {
                times.push(time(call, *count));
            }
        }
        let named = self.others.iter().map(|(name, _)| *name).zip(&others);
        let fastest = named.min_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)));
        let (name, times) = fastest.unwrap();
        let ratios: Vec<_> = times.iter().zip(&core).map(|(other, core)| other / core).collect();
        let (core, other, ratio) = (median(&core), median(times), median(&ratios));
        let slower = self.others.iter().map(|(name, _)| *name).zip(&others);
        let slower = slower.filter(|(of, _)| *of != name);
        let slower: Vec<_> =
            slower.map(|(name, times)| format!("{name} {:.2}", median(times))).collect();
        let (row, goal, slower) = (self.name, self.goal, slower.join(", "));
        format!("{row}\t{core:.2}\t{name}\t{other:.2}\t{ratio:.2}\t{goal}\t{slower}")
    }
}

fn calls_of_a_turn(call: &mut Call, extent: Extent) -> u32 {
    let mut count = 1;
    while time(call, count) * f64::from(count) < extent.turn.as_secs_f64() * 1e6 {
        count *= 2;
    }
    count
}

/// Microseconds of one call.
fn time(call: &mut Call, count: u32) -> f64 {
    let begun = Instant::now();
    for _ in 0..count {
        call();
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
