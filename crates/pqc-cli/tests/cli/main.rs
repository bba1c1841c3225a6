//! The verbs that need no server: what is typed, what is printed, how it ends.
//!
//! What a person reads is data, in `tests/cmd`: a text for each topic, with the commands as they are
//! typed and every word that comes back (`TRYCMD=overwrite` writes it anew). What text cannot say, such
//! as bytes in a pipe or a person at a terminal, is here, a module a topic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

#[cfg(unix)]
mod encrypted_files;
mod examples;
mod inspect;
mod interop;
#[cfg(unix)]
mod interrupted_files;
mod json;
mod kem;
mod run;
mod sig;
#[cfg(unix)]
mod terminal;

#[cfg(unix)] // Elsewhere errors of the file system have other words.
#[test]
fn what_is_typed_gives_what_is_written_there() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    // Secrets that others can read are warned of, and who can depends on how it was checked out.
    for topic in fs::read_dir(folder).unwrap().map(|topic| topic.unwrap().path()) {
        if topic.extension().is_some_and(|extension| extension == "in") {
            for file in fs::read_dir(topic).unwrap() {
                fs::set_permissions(file.unwrap().path(), PermissionsExt::from_mode(0o600))
                    .unwrap();
            }
        }
    }
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
