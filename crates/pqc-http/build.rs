//! Takes the files of Swagger UI that the page at `/docs` loads out of the crate that has them, so
//! that they are in the binary: two of many, and the licence.

use std::error::Error;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::{env, fs};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut missing = WANTED.to_vec();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        // The archive's own folder carries the version.
        let path = name.split_once('/').map_or("", |(_, path)| path);
        if !missing.contains(&path) {
            continue;
        }
        missing.retain(|wanted| *wanted != path);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        fs::write(out.join(path.rsplit('/').next().unwrap_or(path)), bytes)?;
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("not in the archive: {missing:?}").into()) }
}

const WANTED: [&str; 3] = ["dist/swagger-ui-bundle.js", "dist/swagger-ui.css", "LICENSE"];
