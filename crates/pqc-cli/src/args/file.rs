//! The TOML file of settings: what stands in it takes the place of the options' defaults, so that
//! the environment and the command line win over it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};
use serde::Serialize;

use super::{Args, Command, StoreUrl};

/// Why what was typed is not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not understood, or it asks for help.
    Usage(clap::Error),
    /// The file cannot be used.
    File(anyhow::Error),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

/// A setting in force.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Setting {
    /// Its name in the file.
    pub(crate) key: String,
    /// As it was given, without secrets; `None`: it is not set.
    pub(crate) value: Option<String>,
    /// Where it was given.
    pub(crate) source: String,
}

/// Reads the command line, the environment and the file that they name.
///
/// # Errors
/// What is wrong, by the name of its option or setting.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, Refusal> {
    let words: Vec<_> = words.into_iter().collect();
    let matches = Args::command().try_get_matches_from(&words)?;
    let Some(path) = config_file(&matches) else { return finish(&matches, &File::default()) };
    let file = File::read(path).map_err(Refusal::File)?;
    finish(&file.over_the_defaults(Args::command()).try_get_matches_from(&words)?, &file)
}

/// The names of all settings.
pub(crate) fn keys() -> Vec<String> {
    settings_of(&serve()).map(|arg| arg.get_id().to_string()).collect()
}

fn finish(matches: &ArgMatches, file: &File) -> Result<Args, Refusal> {
    let mut args = Args::from_arg_matches(matches)?;
    if let (Command::Serve(args), Some(matches)) =
        (&mut args.command, matches.subcommand_matches("serve"))
        && args.print_config
    {
        args.settings = settings_of(&serve()).map(|arg| file.in_force(arg, matches)).collect();
    }
    Ok(args)
}

/// The file's name stands with the verb that was typed, however deep.
fn config_file(matches: &ArgMatches) -> Option<PathBuf> {
    let deeper = matches.subcommand().and_then(|(_, matches)| config_file(matches));
    deeper.or_else(|| matches.try_get_one("config").ok().flatten().cloned())
}

/// A file that was read.
#[derive(Debug, Default)]
struct File {
    path: PathBuf,
    /// Keys with their values, as they would be typed.
    values: Vec<(String, Vec<String>)>,
}

impl File {
    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the settings {}", path.display()))?;
        let values = parse_values(&text).with_context(|| path.display().to_string())?;
        Ok(Self { path, values })
    }

    fn get(&self, arg: &Arg) -> Option<&Vec<String>> {
        let found = self.values.iter().find(|(key, _)| is_setting(arg) && arg.get_id() == key);
        found.map(|(_, values)| values)
    }

    fn over_the_defaults(&self, command: clap::Command) -> clap::Command {
        let command = command.mut_args(|arg| match self.get(&arg) {
            Some(values) => arg.default_values(values.clone()),
            None => arg,
        });
        command.mut_subcommands(|verb| self.over_the_defaults(verb))
    }

    fn in_force(&self, arg: &Arg, matches: &ArgMatches) -> Setting {
        let id = arg.get_id().as_str();
        let values = matches.get_raw(id).map(|values| {
            let values: Vec<_> = values.map(OsStr::to_string_lossy).collect();
            values.join(",")
        });
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "command line".to_owned(),
            Some(ValueSource::EnvVariable) => {
                let name = arg.get_env().unwrap_or_default();
                format!("environment ({})", name.to_string_lossy())
            }
            _ if self.get(arg).is_some() => format!("file ({})", self.path.display()),
            _ => "default".to_owned(),
        };
        let value = values.map(|value| match id {
            "store" => StoreUrl::redacted(&value),
            // It may be the secret itself.
            "master_key_file" | "master_passphrase_file" if !Path::new(&value).exists() => {
                "[there is no such file]".to_owned()
            }
            _ => value,
        });
        Setting { key: id.to_owned(), value, source }
    }
}

fn parse_values(text: &str) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        anyhow::anyhow!("line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    let serve = serve().mut_args(|arg| arg.env(Resettable::Reset));
    let known = keys();
    let mut all = Vec::new();
    for (key, value) in table {
        if !known.contains(&key) {
            bail!("{}", unknown_setting(&key, &known));
        }
        let values = match value {
            toml::Value::Array(values) => values,
            value => vec![value],
        };
        let values: Vec<_> =
            values.into_iter().map(typed).collect::<Option<_>>().with_context(|| {
                format!("{key}: it must be a single value, or a list of them, and no table")
            })?;
        // One by one, so that it can be said which one is wrong.
        let words = values.iter().map(|value| format!("--{}={value}", key.replace('_', "-")));
        let words: Vec<_> = std::iter::once("serve".to_owned()).chain(words).collect();
        if let Err(error) = serve.clone().try_get_matches_from(words) {
            bail!("{key}: {}", reason(&error));
        }
        all.push((key, values));
    }
    Ok(all)
}

/// A value as it would be typed.
fn typed(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
        value => Some(value.to_string()),
    }
}

/// What a parser of ours says, or else the first line of what is said around it.
fn reason(error: &clap::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

/// What is said of a key that is none of the settings.
pub(crate) fn unknown_setting(key: &str, all: &[String]) -> String {
    let near = |known: &&String| strsim::jaro_winkler(key, known);
    let nearest = all.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    match nearest.filter(|known| near(known) > 0.8) {
        Some(known) => format!("there is no setting {key:?}; did you mean {known:?}?"),
        None => format!("there is no setting {key:?}; there are {}", all.join(", ")),
    }
}

fn serve() -> clap::Command {
    let command = Args::command();
    command.find_subcommand("serve").cloned().unwrap_or(command)
}

fn settings_of(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| is_setting(arg) && arg.get_id() != "config")
}

/// Settings are those that the environment can give too.
fn is_setting(arg: &Arg) -> bool {
    arg.get_env().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ServeArgs;

    /// The options of a server with this file, and this on its command line.
    fn with_file(text: &str, line: &str) -> Result<ServeArgs, Refusal> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pqc.toml");
        fs::write(&path, text).unwrap();
        let line = format!("pqc serve --print-config --config {} {line}", path.display());
        let args = parse(line.split_whitespace().map(OsString::from))?;
        match args.command {
            Command::Serve(args) => Ok(*args),
            other => panic!("not serve: {other:?}"),
        }
    }

    fn refused(text: &str) -> String {
        parse_values(text).unwrap_err().to_string()
    }

    #[test]
    fn every_setting_is_an_option_an_environment_variable_and_a_key() {
        let serve = serve();
        for arg in serve.get_arguments() {
            let id = arg.get_id().as_str();
            if ["help", "json", "print_config"].contains(&id) {
                continue;
            }
            let name = format!("PQC_{}", id.to_uppercase());
            assert_eq!(arg.get_env(), Some(OsStr::new(&name)), "{id}");
            assert_eq!(arg.get_long(), Some(&*id.replace('_', "-")), "{id}");
        }
        assert!(keys().len() > 10 && !keys().contains(&"config".to_owned()));
    }

    #[test]
    fn the_documentation_has_every_key_with_its_default_and_no_other() {
        let text = include_str!("../../../../docs/operations.md");
        let (_, table) =
            text.split_once("| key | default | what it is |\n|---|---|---|\n").unwrap();
        let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
        let told: Vec<_> = rows.map(|row| row.split(" | ").take(2).collect::<Vec<_>>()).collect();
        let serve = serve();
        let known: Vec<_> = settings_of(&serve)
            .map(|arg| {
                let default = arg.get_default_values().first();
                let default = default.map(|value| format!("`{}`", value.to_string_lossy()));
                (arg.get_id().to_string(), default)
            })
            .collect();
        assert_eq!(told.len(), known.len());
        for row in told {
            let [key, default] = row[..] else { panic!("{row:?}") };
            let key = key.strip_suffix('`').unwrap();
            let (_, known) = known.iter().find(|(known, _)| known == key).expect(key);
            // What has no fixed default is described.
            assert!(known.as_deref().is_none_or(|known| known == default), "{key}: {default}");
        }
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_default() {
        let text = "listen = '127.0.0.1:1'\nmax_text = 7\ntrust_any_issuer = true";
        let args = with_file(text, "").unwrap();
        let told =
            |args: &ServeArgs| (args.listen.0.port(), args.limits.max_text, args.trust_any_issuer);
        assert_eq!(told(&args), (1, 7, true));
        let args = with_file(text, "--listen 127.0.0.1:2 --trust-any-issuer=false").unwrap();
        assert_eq!(told(&args), (2, 7, false));
        assert_eq!((args.key_policy.max_keys, &*args.log), (1_000_000, "info"));
        let source = |key: &str| {
            let setting = args.settings.iter().find(|setting| setting.key == key).unwrap();
            (setting.value.clone().unwrap_or_default(), setting.source.split(' ').next().unwrap())
        };
        assert_eq!(source("listen"), ("127.0.0.1:2".to_owned(), "command"));
        assert_eq!(source("max_text"), ("7".to_owned(), "file"));
        assert_eq!(source("max_keys"), ("1000000".to_owned(), "default"));
        assert_eq!(source("tls_cert"), (String::new(), "default"));
    }

    #[test]
    fn verbs_take_the_file_too_and_pass_over_what_is_not_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pqc.toml");
        fs::write(&path, "data_dir = 'there'\nmax_text = 7\nmax_live_tokens = 3").unwrap();
        let parse = |line: &str| {
            let line = format!("pqc {line} --config {}", path.display());
            parse(line.split_whitespace().map(OsString::from)).unwrap().command
        };
        let Command::Token(args) = parse("token temp") else { panic!("not token") };
        assert_eq!(args.store.data_dir, PathBuf::from("there"));
        let super::super::TokenVerb::Temp(temp) = args.verb else { panic!("not temp") };
        assert_eq!(temp.policy.max_live_tokens, 3);
        let Command::Account(args) = parse("account list --data-dir here") else {
            panic!("not account")
        };
        assert_eq!(args.store.data_dir, PathBuf::from("here"));
    }

    #[test]
    fn a_password_is_not_printed() {
        let text = "store = 'postgres://me:hunter2@host/db?password=hunter2'";
        let args = with_file(text, "").unwrap();
        let store = args.settings.iter().find(|setting| setting.key == "store").unwrap();
        assert_eq!(store.value.as_deref(), Some("postgres://[redacted]@host/db?[redacted]"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_nearest() {
        assert_eq!(
            refused("max_texts = 1"),
            "there is no setting \"max_texts\"; did you mean \"max_text\"?"
        );
        let refused_zzz = refused("zzz = 1");
        assert!(refused_zzz.starts_with("there is no setting \"zzz\"; there are "));
        assert!(refused("[tls]\ncert = 'x'").contains("\"tls\""));
        assert!(refused("config = 'x'").contains("\"config\""));
    }

    #[test]
    fn a_wrong_value_is_named_and_a_broken_line_placed() {
        for (key, value) in [
            ("max_text", "'five'"),
            ("max_text", "0"),
            ("max_text", "[1, 2]"),
            ("trusted_proxies", "['10.0.0.0/8', 'here']"),
            ("listen", "'here'"),
            ("listen", "{ ip = 1 }"),
            ("log_format", "'xml'"),
            ("key_destruction_grace", "-1"),
            ("data_dir", "''"),
            ("master_key_file", "''"),
            ("trust_any_issuer", "'perhaps'"),
        ] {
            let error = refused(&format!("log = 'info'\n{key} = {value}"));
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
        }
        assert!(refused("log = 'info'\nmax_text =").starts_with("line 2: "));
    }
}
