//! The page of the server's health.

use crate::support::{Folder, Person};

#[test]
fn the_page_tells_how_the_server_is_and_when_it_was_backed_up() {
    let server = Folder::new().serve();
    let root = server.root();
    let issuer = root.generate().issuer;
    let issuer = pqc_core::VerifyingKey::from_bytes(&hex::decode(issuer).unwrap()).unwrap();
    let mut person = Person::signed_in(&server, &server.folder.root_token());
    let html = person.open("/health").html();
    for told in [
        &*format!("pqc {}", env!("CARGO_PKG_VERSION")),
        "SQLite, embedded",
        "passed: ",
        &hex::encode(issuer.fingerprint()),
        "version 1",
        "none by <code>pqc backup</code>",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    let [file, phrase] = ["b.pqcb", "phrase"].map(|name| server.folder.beside(name));
    std::fs::write(&phrase, "correct horse battery staple").unwrap();
    let backup = format!("backup {} --passphrase-file {}", file.display(), phrase.display());
    server.verb(&backup).ended(0);
    let html = person.open("/health").html();
    assert!(html.contains("by <code>pqc backup</code>") && !html.contains("none by"), "{html}");
}
