//! A new migration is a new build: the program carries them all.

#[expect(clippy::print_stdout, reason = "this is how a build script speaks")]
fn main() {
    println!("cargo:rerun-if-changed=src/store/migrations");
}
