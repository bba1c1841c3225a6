//! `pqc acvp`: NIST's ACVP prompts, answered by this build's cryptography.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use pqc_core::acvp::{self, Answers, Report};

use crate::exit::Refused;
use crate::input_file;
use crate::output::{self, Human, Output};

/// Prints the answers to the prompt in the file, also when some are missing.
///
/// # Errors
/// [`Refused`]: a case was not answered. Otherwise the file cannot be read or is no prompt.
pub(crate) fn run(file: &Path, output: Output) -> anyhow::Result<()> {
    let prompt = input_file::read(file, MAX_PROMPT_BYTES)?;
    let answers = acvp::answer(&prompt).with_context(|| input_file::name(file))?;
    drop(prompt);
    output.show(&answers)?;

    let Report { groups, groups_answered, cases, cases_answered, unanswered } = answers.report();
    let counts = format!(
        "answered {cases_answered} of {cases} cases, {groups_answered} of {groups} groups in full"
    );
    match unanswered.first() {
        None if cases == 0 => return Err(Refused("the prompt has no cases".to_owned()).into()),
        None => output::note(format_args!("{counts}")),
        Some(first) => {
            let (group, case, reason) = (first.group, first.case, &first.reason);
            let first = format!("the first without an answer is tgId {group}, tcId {case}");
            return Err(Refused(format!("{counts}; {first}: {reason}")).into());
        }
    }
    Ok(())
}

impl Human for Answers {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

/// Three times the largest official set.
const MAX_PROMPT_BYTES: usize = 16 * 1024 * 1024;
