//! What fuzzing kept (`fuzz/corpus/`), through the targets that found it.

#[cfg(all(feature = "acvp", feature = "inspect"))]
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pqc_fuzz::TARGETS;

#[test]
fn no_kept_input_breaks_its_target() {
    for &(name, run) in TARGETS {
        let inputs = entries(&fuzz().join("corpus").join(name));
        for input in &inputs {
            println!("{}", input.display()); // the last one is to blame
            run(&fs::read(input).unwrap());
        }
        assert!(!inputs.is_empty(), "{name} has no corpus");
        println!("{name}: {} inputs", inputs.len());
    }
}

#[cfg(all(feature = "acvp", feature = "inspect"))] // which have targets of their own
#[test]
fn the_targets_are_the_programs_and_the_folders() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest: toml::Table =
        fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let programs = manifest["bin"].as_array().unwrap().iter();
    let programs: BTreeSet<_> =
        programs.map(|program| program["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(targets, programs);
    let folders = entries(&fuzz().join("corpus")).into_iter();
    let folders: BTreeSet<_> =
        folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(targets, folders);
}

/// What lies in `folder`, in the order of its names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|_| panic!("no {}", folder.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("fuzz")
}
