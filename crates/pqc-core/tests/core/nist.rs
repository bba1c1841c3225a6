//! NIST's ACVP sample vectors, where they lie beside the checkout (they are not part of it):
//! `../shared/vectors/acvp` from the workspace's root, or the folder that `PQC_ACVP_VECTORS` names.
//! Where they are not, tests skip, loudly; under `CI` only if that variable says `none`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::say;

/// NIST's questions and answers; where there are none, says so.
pub(crate) fn official(file: &str) -> Option<(Value, Value)> {
    let Some(folder) = vectors() else {
        say(&format!(
            "SKIPPED: {file}: no ACVP vectors here; set PQC_ACVP_VECTORS to their folder"
        ));
        let allowed = std::env::var_os("PQC_ACVP_VECTORS").is_some_and(|folder| folder == "none");
        assert!(allowed || std::env::var_os("CI").is_none(), "CI needs them, or is told otherwise");
        return None;
    };
    let document = |name| read(&folder.join(file).join(name));
    Some((document("prompt.json.gz"), document("expectedResults.json.gz")))
}

pub(crate) fn groups(file: &Value) -> impl Iterator<Item = &Value> {
    file["testGroups"].as_array().unwrap().iter()
}

pub(crate) fn tests(group: &Value) -> impl Iterator<Item = &Value> {
    group["tests"].as_array().unwrap().iter()
}

fn read(path: &Path) -> Value {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_reader(BufReader::new(GzDecoder::new(file))).unwrap()
}

fn vectors() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PQC_ACVP_VECTORS") {
        return (folder != "none").then(|| folder.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = root.join("../shared/vectors/acvp");
    folder.is_dir().then_some(folder)
}
