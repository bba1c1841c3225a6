//! What tells about the verbs: `pqc help`, `pqc completions`, `pqc man`. All of it is made of the
//! command line itself, so that it is never another's.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use serde::Serialize;

use crate::args::{Args, CompletionsArgs, HelpArgs, ManArgs};
use crate::exit::OutputClosed;
use crate::output::{Human, Output};

/// Prints the script by which a shell completes our words.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "pqc", &mut script);
    print(&script)
}

/// Prints the manual's first page, or writes all of its pages.
///
/// # Errors
/// Stdout or a file cannot be written.
pub(crate) fn man(args: &ManArgs, output: Output) -> anyhow::Result<()> {
    let mut command = Args::command();
    command.build();
    match &args.out {
        None => print(&page(&command)?),
        Some(folder) => {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            let mut pages = Vec::new();
            write_pages(&command, folder, &mut pages)?;
            output.show(&Pages { pages })
        }
    }
}

fn write_pages(command: &Command, folder: &Path, pages: &mut Vec<String>) -> anyhow::Result<()> {
    let name = format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()));
    let file = folder.join(&name);
    fs::write(&file, page(command)?).with_context(|| format!("cannot write {}", file.display()))?;
    pages.push(name);
    // The verb `help` has a copy of each verb.
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    verbs.into_iter().try_for_each(|verb| write_pages(verb, folder, pages))
}

fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

#[derive(Debug, Serialize)]
struct Pages {
    pages: Vec<String>,
}

impl Human for Pages {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.pages.iter().try_for_each(|page| writeln!(out, "{page}"))
    }
}

/// Prints the help of a verb, or a topic.
///
/// # Errors
/// There is neither; stdout cannot be written.
pub(crate) fn help(args: &HelpArgs) -> anyhow::Result<()> {
    if let [topic] = args.words.as_slice()
        && let Some((_, text)) = TOPICS.iter().find(|(name, _)| name == topic)
    {
        return print(text.as_bytes());
    }
    let mut command = Args::command();
    command.build();
    let mut found = &mut command;
    for word in &args.words {
        found = found.find_subcommand_mut(word).with_context(|| {
            let topics: Vec<_> = TOPICS.iter().map(|(name, _)| *name).collect();
            format!("there is no verb {word}, and no topic but {}", topics.join(", "))
        })?;
    }
    print(found.render_long_help().to_string().as_bytes())
}

fn print(text: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        done => done.context("cannot write to stdout"),
    }
}

/// What is to be known and stands with no single verb.
const TOPICS: [(&str, &str); 5] = [
    ("custody", include_str!("topics/custody.txt")),
    ("files", include_str!("topics/files.txt")),
    ("issuer", include_str!("topics/issuer.txt")),
    ("json", JSON),
    ("tokens", include_str!("topics/tokens.txt")),
];

const JSON: &str = include_str!("topics/json.txt");

#[cfg(test)]
mod tests {
    use super::*;

    /// Words, as the man pages and the completions have them, of every verb and option there is.
    fn words(command: &Command, found: &mut Vec<String>) {
        let options = command.get_arguments().filter_map(clap::Arg::get_long);
        found.extend(options.map(|option| format!("--{option}")));
        for verb in command.get_subcommands() {
            found.push(verb.get_name().to_owned());
            words(verb, found);
        }
    }

    #[test]
    fn completions_know_every_verb_and_option() {
        let mut all = Vec::new();
        words(&Args::command(), &mut all);
        assert!(all.len() > 100 && all.contains(&"--sign-with".to_owned()), "{all:?}");
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "pqc", &mut script);
            let script = String::from_utf8(script).unwrap();
            all.iter().for_each(|word| assert!(script.contains(word.as_str()), "{shell}: {word}"));
        }
        let mut script = Vec::new();
        clap_complete::generate(
            clap_complete::Shell::Fish,
            &mut Args::command(),
            "pqc",
            &mut script,
        );
        let script = String::from_utf8(script).unwrap();
        // Fish is told of two levels.
        for verb in Args::command().get_subcommands() {
            let name = verb.get_name();
            assert!(script.contains(&format!(" -a \"{name}\"")), "fish: {name}");
            for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(script.contains(&format!(" -l {option} ")), "fish: {name} --{option}");
            }
        }
    }

    #[test]
    fn each_verb_has_a_page_with_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Args::command();
        command.build();
        let mut pages = Vec::new();
        write_pages(&command, folder.path(), &mut pages).unwrap();
        for name in ["pqc.1", "pqc-encrypt.1", "pqc-token-temp.1"] {
            assert!(pages.iter().any(|page| page == name), "{name}: {pages:?}");
        }
        let page = fs::read_to_string(folder.path().join("pqc-encrypt.1")).unwrap();
        assert!(page.contains("sign\\-with") && page.contains("photos.tar"), "{page}");
    }

    #[test]
    fn topics_are_short_and_name_verbs_that_there_are() {
        let command = Args::command();
        for (name, text) in TOPICS {
            assert!(text.lines().count() < 40 || text == JSON, "{name}");
            assert!(text.lines().all(|line| line.len() <= 80), "{name}");
            for (_, behind) in
                text.match_indices("`pqc ").map(|(at, found)| text.split_at(at + found.len()))
            {
                let verb = behind.split([' ', '`']).next().unwrap();
                assert!(command.find_subcommand(verb).is_some(), "{name}: {verb}");
            }
        }
    }
}
