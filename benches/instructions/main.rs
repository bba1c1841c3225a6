//! Operations whose instructions valgrind counts: `pqc-instructions CASE RUNS` sets a case up, runs it
//! `RUNS` times and ends. Two counts of runs differ by the runs alone, so set-up cancels out.
//!
//! Without arguments it lists its cases, each with how many runs to count; `machine` names what the
//! code chooses by at run time. Randomness is a generator of a fixed seed, and signing is
//! deterministic: what depends on chance would count something else each time.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a case that cannot be set up or run should stop")]
#![allow(clippy::print_stdout, reason = "the answer to xtask")]

#[cfg(test)]
mod allocations;
mod attest;
mod case;
mod kem;
mod machine;
mod message;
mod request;
mod seal;
mod seeded;
mod sign;
mod stream;
mod token;

use std::process::ExitCode;

use crate::case::Case;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        [] => cases().iter().for_each(|case| println!("{} {}", case.name, case.runs)),
        ["machine"] => println!("{}", machine::features()),
        [name, runs] => {
            let found = cases().into_iter().find(|case| case.name == name);
            let (Some(case), Ok(runs)) = (found, runs.parse()) else { return ExitCode::FAILURE };
            case.run(runs);
        }
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

fn cases() -> Vec<Case> {
    [
        kem::cases(),
        sign::cases(),
        attest::cases(),
        message::cases(),
        stream::cases(),
        seal::cases(),
        token::cases(),
        request::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_case_has_its_own_name_and_runs() {
    let mut names = std::collections::BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name.clone()), "{} stands twice", case.name);
        assert!(case.runs > 0, "{}", case.name);
        case.run(2);
    }
    assert_eq!(names.len(), 55);
}
