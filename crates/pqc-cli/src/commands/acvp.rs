//! `pqc acvp`: NIST's ACVP prompts, answered by this build's cryptography.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use pqc_core::acvp::{self, Answers, Report};

use crate::exit::Refused;
use crate::output::{self, Human, Output};
use crate::private_file;

/// Prints the answers to the prompt in the file, also when some are missing.
///
/// # Errors
/// [`Refused`]: a case was not answered. Otherwise the file cannot be read or is no prompt.
pub(crate) fn run(file: &Path, output: Output) -> anyhow::Result<()> {
    let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    let prompt = if file == Path::new("-") {
        private_file::read_from(io::stdin().lock(), MAX_PROMPT_BYTES)
    } else {
        private_file::read(file, MAX_PROMPT_BYTES)
    };
    let prompt = prompt.with_context(|| format!("cannot read {name}"))?;
    let answers = acvp::answer(&prompt).context(name)?;
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
