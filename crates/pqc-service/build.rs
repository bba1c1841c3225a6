//! A new migration is a new build: the program carries them all.

fn main() {
    println!("cargo:rerun-if-changed=src/store/migrations");
}
