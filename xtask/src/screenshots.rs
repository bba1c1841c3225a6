//! Takes the pictures of the dashboard that the documentation shows. One of the server's tests does it,
//! so that they show the pages as they are, on a store with the same content each time.

use anyhow::Context;

use crate::command::{cargo_with, root};

/// With all of the workspace, so that the build is that of the other tasks.
const TEST: &str = "test --quiet --workspace --test server dashboard::looks::documentation::";

/// Takes them anew, in place of those there are.
///
/// # Errors
/// The test fails: also where there is no Chromium, or no driver of it.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = root().join("docs/screenshots");
    let folder = folder.to_str().context("the path of this workspace is not UTF-8")?;
    // By CI=true the test fails where it would be skipped.
    cargo_with(TEST, &[("PQC_SCREENSHOTS", folder), ("CI", "true")])
}
