//! The file of profiles: tables of what is the same each time a server is asked.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::args::RemoteOptions;

/// The options in the profile of this name. Their paths are relative to the file's folder.
///
/// # Errors
/// The file cannot be read, has no such table, or that one holds something else.
pub(super) fn read(name: &str) -> anyhow::Result<RemoteOptions> {
    let path = file()?;
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read the profiles {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, name, folder).with_context(|| path.display().to_string())
}

fn file() -> anyhow::Result<PathBuf> {
    let named = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")));
    let config = config.context("--profile needs HOME or XDG_CONFIG_HOME to find its file")?;
    Ok(config.join("pqc").join("profiles.toml"))
}

fn parse(text: &str, name: &str, folder: &Path) -> anyhow::Result<RemoteOptions> {
    // What the parser shows of the text may be a secret that stands there by mistake.
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        anyhow::anyhow!("line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    let Some(profile) = file.get(name) else {
        let known: Vec<_> = file.keys().map(String::as_str).collect();
        bail!("it has no profile {name:?}; it has {}", known.join(", "));
    };
    let profile =
        profile.as_table().with_context(|| format!("{name} must be a table: [{name}]"))?;
    let mut options = RemoteOptions::default();
    for (key, value) in profile {
        let value = value.as_str().with_context(|| format!("{name}.{key} must be a text"))?;
        let path = || Some(folder.join(value));
        match key.as_str() {
            "server" => options.server = Some(value.to_owned()),
            "token_file" => options.token_file = path(),
            "issuer" => options.issuer = path(),
            "ca_file" => options.ca_file = path(),
            _ => bail!("{name}.{key} is unknown; there are server, token_file, issuer, ca_file"),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "[work]\nserver = 'https://pqc.example'\ntoken_file = 'work.token'\n\
                         issuer = '/etc/issuer'\n[empty]\n";

    fn parsed(text: &str, name: &str) -> anyhow::Result<RemoteOptions> {
        parse(text, name, Path::new("/config/pqc"))
    }

    #[test]
    fn a_profile_is_a_table_with_paths_relative_to_its_file() {
        let work = parsed(RIGHT, "work").unwrap();
        assert_eq!(work.server.as_deref(), Some("https://pqc.example"));
        assert_eq!(work.token_file, Some(PathBuf::from("/config/pqc/work.token")));
        assert_eq!(work.issuer, Some(PathBuf::from("/etc/issuer")));
        assert!(work.ca_file.is_none());
        assert!(parsed(RIGHT, "empty").unwrap().server.is_none());
    }

    #[test]
    fn what_is_wrong_is_said_without_a_quote() {
        for (text, why) in [
            ("[home]\n", "it has no profile \"work\"; it has home"),
            ("work = 'hunter2'", "work must be a table"),
            ("[work]\ntoken = 'hunter2'", "work.token is unknown"),
            ("[work]\nserver = ['hunter2']", "work.server must be a text"),
            ("[work]\ntoken_file = hunter2", "line 2: "),
        ] {
            let error = format!("{:#}", parsed(text, "work").unwrap_err());
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }
}
