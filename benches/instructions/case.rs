//! A case: what is set up once, and what is run and counted.

use std::hint::black_box;

/// An operation, not set up yet.
pub(crate) struct Case {
    /// `family/operation/parameter`.
    pub(crate) name: String,
    /// How many runs are counted: more where chance decides how long one takes (the same chance
    /// each time), so that they are a fair mean.
    pub(crate) runs: u32,
    set_up: Box<dyn FnOnce() -> Run>,
}

/// What is run again and again.
pub(crate) type Run = Box<dyn FnMut()>;

impl Case {
    /// `set_up` gives the operation; what that answers is dropped, which counts too.
    pub(crate) fn new<T, O: FnMut() -> T + 'static>(
        name: impl Into<String>,
        runs: u32,
        set_up: impl FnOnce() -> O + 'static,
    ) -> Self {
        let set_up = Box::new(move || {
            let mut operation = set_up();
            Box::new(move || drop(black_box(operation()))) as Run
        });
        Self { name: name.into(), runs, set_up }
    }

    /// Sets it up.
    pub(crate) fn set_up(self) -> Run {
        (self.set_up)()
    }

    /// Sets it up and runs it.
    pub(crate) fn run(self, runs: u32) {
        let mut operation = self.set_up();
        for _ in 0..runs {
            operation();
        }
    }
}
