//! `pqc remote`: the contract's verbs against a server, what they write, and each way in which they
//! say no.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use pqc_core::keyfile::{PrivateKey, PublicKey};
use pqc_core::{Ciphertext, Context, Signature, SignatureAlgorithm};
use serde_json::json;

use crate::support::{Account, Folder, Issuer, Run, Server, names, pqc, run, shared, text};

/// A user's own folder, with the root token of an account and the issuer's keys.
struct Desk {
    server: &'static Server,
    account: Account,
    folder: Folder,
}

impl Desk {
    fn new() -> Self {
        Self::of(shared().account())
    }

    fn of(account: Account) -> Self {
        let (server, folder) = (shared(), Folder::new());
        let desk = Self { server, account, folder };
        desk.write_private("root.token", &desk.account.root.token);
        let issuer = server.verb("issuer show --json").ended(0).stdout;
        fs::write(desk.path("issuer.jwks"), issuer).unwrap();
        fs::write(desk.path("note.txt"), TEXT).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.beside(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write_private(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Runs `pqc` in the folder. The words of `line` are separated by spaces.
    fn pqc(&self, line: &str, stdin: &[u8]) -> Run {
        let mut command = pqc();
        command.current_dir(self.path("")).env_remove("XDG_CONFIG_HOME");
        run(command.args(line.split(' ')), stdin)
    }

    /// Runs a verb with the token in this file.
    fn by(&self, token: &str, line: &str) -> Run {
        let url = self.server.url();
        let line =
            format!("--server {url} --token-file {token} --issuer issuer.jwks remote {line}");
        self.pqc(&line, b"")
    }

    /// Runs a verb with the root token.
    fn remote(&self, line: &str) -> Run {
        self.by("root.token", line)
    }

    /// A file with a temporary token.
    fn lent(&self, name: &str, options: &str) {
        let token = self.remote(&format!("token new {options}")).line();
        assert!(token.starts_with("pqc_t_") && token.len() == 49, "{token}");
        self.write_private(name, &token);
    }

    /// A key pair of the account, in the files `me.pub.pem` and `me.att`.
    fn with_key(self) -> Self {
        self.remote("kem generate --public me.pub.pem --attestation-out me.att").ended(0);
        self
    }
}

const ENCAPSULATE: &str = "kem encapsulate --public-key me.pub.pem --attestation me.att \
                           --ciphertext-out c --shared-secret-out k";

#[test]
fn two_parties_come_to_one_secret_and_use_it_and_nothing_shows() {
    let desk = Desk::new();
    desk.lent(
        "receiver",
        "--attempts 4 --operations kem.generate,kem.decapsulate,aes.decrypt,sign",
    );
    desk.lent("sender", "--attempts 3 --operations kem.encapsulate,aes.encrypt,verify --expiry 5m");
    let mut said = String::new();
    for (token, line) in [
        ("receiver", "kem generate --public me.pub.pem --attestation-out me.att"),
        ("sender", ENCAPSULATE),
        (
            "receiver",
            "kem decapsulate --public-key me.pub.pem --ciphertext c --shared-secret-out k2",
        ),
        ("sender", "aes encrypt --key k --aad note-7 --out note.box note.txt"),
        ("receiver", "aes decrypt --key k2 --aad note-7 --out note2.txt note.box"),
        ("receiver", "sign --context notes --public me.sig.pem --out note.sig note.txt"),
        ("sender", "verify --context notes --public-key me.sig.pem --signature note.sig note.txt"),
    ] {
        let run = desk.by(token, line).ended(0);
        assert_eq!(run.stderr, "", "{line}");
        assert!(!run.stdout.is_empty(), "{line}");
        said += &run.stdout;
    }
    assert_eq!(desk.read("k"), desk.read("k2"));
    assert_eq!((desk.read("k").len(), desk.read("c").len()), (32, 1088));
    assert_eq!(desk.read("note2.txt"), TEXT.as_bytes());
    assert_eq!((desk.read("me.att").len(), desk.read("note.box").len()), (3342, TEXT.len() + 58));
    for name in ["k", "k2", "note2.txt"] {
        let mode = fs::metadata(desk.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    for secret in ["pqc_t_", "pqc_r_", "noon", &hex::encode(&desk.read("k")[..8])] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }

    // Others read what was written.
    let pem = |name: &str| PublicKey::from_pem(&String::from_utf8(desk.read(name)).unwrap());
    let PublicKey::Encapsulation(key) = pem("me.pub.pem").unwrap() else { panic!("no KEM key") };
    assert!(said.contains(&key.key_id().to_string()));
    let PublicKey::Verifying(key) = pem("me.sig.pem").unwrap() else { panic!("no signing key") };
    let signature = Signature::from_bytes(&desk.read("note.sig")).unwrap();
    assert!(key.verify(TEXT.as_bytes(), Context::new(b"notes").unwrap(), &signature));

    for token in ["receiver", "sender"] {
        desk.by(token, "aes decrypt --key k --out note3.txt note.box")
            .refused(1, "spent or revoked");
    }
    assert!(!desk.path("note3.txt").exists());
}

#[test]
fn every_verb_has_its_json() {
    let desk = Desk::new();
    let json = |line: &str| desk.remote(&format!("{line} --json")).json();
    let minted = json("token new --label lent --attempts 7");
    assert_eq!(names(&minted), ["attempts", "expires_at", "token"]);
    assert_eq!(minted["attempts"], 7);
    desk.write_private("lent", &text(&minted, "token"));
    let itself = desk.by("lent", "token self --json").json();
    assert_eq!(itself, desk.server.holder(&text(&minted, "token")).token_self());
    let plain = desk.by("lent", "token self").ended(0).stdout;
    assert!(plain.contains("7 of 7 left") && plain.contains("label       lent"), "{plain}");

    assert_eq!(json("token self"), desk.account.root.token_self());

    let pair = json("kem generate --algorithm x-wing --public me.pub.pem --attestation-out me.att");
    let expected = ["account", "algorithm", "custody", "issuer", "key_id", "pinned"];
    assert_eq!(names(&pair), expected);
    assert_eq!((&pair["algorithm"], &pair["custody"]), (&json!("X-Wing"), &json!("server")));
    assert_eq!((&pair["pinned"], text(&pair, "account")), (&json!(true), desk.account.id.clone()));
    let sent = json(ENCAPSULATE);
    assert_eq!(names(&sent), ["account", "algorithm", "issuer", "key_id", "pinned"]);
    assert_eq!(sent["key_id"], pair["key_id"]);
    let opened =
        json("kem decapsulate --public-key me.pub.pem --ciphertext c --shared-secret-out k2");
    assert_eq!(opened, json!({"algorithm": "X-Wing", "key_id": pair["key_id"]}));
    let sealed = json("aes encrypt --key k --out note.box note.txt");
    assert_eq!(sealed, json!({"bytes": TEXT.len() + 58, "key_id": null}));
    let own = json("aes encrypt --out own.box note.txt");
    assert_eq!(text(&own, "key_id").len(), 32);
    let opened = json("aes decrypt --out own.txt own.box");
    assert_eq!(opened, json!({"bytes": TEXT.len()}));
    let signed = json("sign --algorithm ML-DSA-44 --public me.sig.pem --out sig note.txt");
    assert_eq!(names(&signed), ["algorithm", "key_id"]);
    assert_eq!(signed["algorithm"], SignatureAlgorithm::MlDsa44.name());
    let verified = json("verify --public-key me.sig.pem --signature sig note.txt");
    let expected = json!({"verified": true, "algorithm": "ML-DSA-44", "key_id": signed["key_id"]});
    assert_eq!(verified, expected);
}

#[test]
fn a_no_is_status_1_with_what_there_is_to_do() {
    let desk = Desk::new().with_key();
    let by = |token: &str, line: &str, why: &str| desk.by(token, line).refused(1, why);
    desk.lent("narrow", "--attempts 9 --operations verify");
    by("narrow", "token new", "`pqc remote token self` says");
    by("narrow", "aes encrypt --out o note.txt", "The token may not do this.");

    // The same bytes, but for one.
    desk.remote("aes encrypt --out own.box note.txt").ended(0);
    let mut altered = desk.read("own.box");
    *altered.last_mut().unwrap() ^= 1;
    fs::write(desk.path("altered.box"), altered).unwrap();
    by("root.token", "aes decrypt --out o altered.box", "422");
    by("root.token", "aes decrypt --aad other --out o own.box", "422");
    desk.remote("aes decrypt --out o own.box").ended(0);

    desk.remote("sign --public me.sig.pem --out sig note.txt").ended(0);
    let verify = "verify --public-key me.sig.pem --signature sig";
    by("narrow", &format!("{verify} own.box"), "is not genuine");
    by("narrow", &format!("{verify} --context other note.txt"), "is not genuine");
    desk.by("narrow", &format!("{verify} note.txt")).ended(0);

    // Another account has no such key.
    desk.remote(ENCAPSULATE).ended(0);
    let stranger = desk.server.account();
    desk.write_private("stranger", &stranger.root.token);
    let decapsulate =
        "kem decapsulate --public-key me.pub.pem --ciphertext c --shared-secret-out s";
    by("stranger", decapsulate, "the key is another account's");
    let other = format!("{ENCAPSULATE} --force --account {}", stranger.id);
    by("root.token", &other, "the attestation names another account");
    let own = format!("{ENCAPSULATE} --force --account {}", desk.account.id);
    desk.remote(&own).ended(0);
    assert!(!desk.path("s").exists());

    desk.write_private("unknown", &format!("pqc_t_{}", "A".repeat(43)));
    by("unknown", "token self", "mint another with `pqc remote token new`");
}

#[test]
fn a_key_by_another_issuers_word_is_not_taken() {
    let desk = Desk::new().with_key();
    let issuer = Issuer::new(SignatureAlgorithm::MlDsa65);
    fs::write(desk.path("issuer.jwks"), issuer.public()).unwrap();
    desk.remote("kem generate --public p --attestation-out a").refused(1, "--issuer is not");
    desk.remote(ENCAPSULATE).refused(1, "--issuer is not");
    assert!(!desk.path("p").exists() && !desk.path("k").exists() && !desk.path("c").exists());

    // Pinned in PEM, as other programs write it; and not pinned, with a warning.
    let own = desk.server.anyone().get("/.well-known/jwks.json").json();
    let own = pqc_core::keyfile::Jwk {
        kty: text(&own["keys"][0], "kty"),
        alg: text(&own["keys"][0], "alg"),
        public: text(&own["keys"][0], "pub"),
        kid: None,
        usage: None,
    };
    let pem = PublicKey::try_from(&own).unwrap().to_pem().unwrap();
    fs::write(desk.path("issuer.jwks"), pem).unwrap();
    let pinned = desk.remote(&format!("{ENCAPSULATE} --json")).json();
    assert_eq!(pinned["pinned"], true);
    let url = desk.server.url();
    let line =
        format!("--server {url} --token-file root.token --json remote {ENCAPSULATE} --force");
    let run = desk.pqc(&line, b"");
    assert!(run.stderr.contains("warning: no issuer is pinned"), "{run:?}");
    assert_eq!(run.json()["pinned"], false);
}

#[test]
fn a_key_that_the_client_keeps_is_written_once() {
    let desk = Desk::of(shared().account_with_custody("client"));
    let generate = "kem generate --public me.pub.pem --attestation-out me.att";
    // Without a place for it the server keeps it, whatever the account has by itself.
    let kept = desk.remote("kem generate --public p --attestation-out a --json").json();
    assert_eq!(kept["custody"], "server");
    desk.remote(&format!("{generate} --custody client")).refused(2, "--secret-out");
    let made = desk.remote(&format!("{generate} --secret-out me.pem --json")).json();
    assert_eq!(made["custody"], "client");
    let mode = fs::metadata(desk.path("me.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = PrivateKey::from_pem(&String::from_utf8(desk.read("me.pem")).unwrap());
    let PrivateKey::Decapsulation(secret) = secret.unwrap() else { panic!("no KEM key") };
    desk.remote(ENCAPSULATE).ended(0);
    let ciphertext = Ciphertext::from_bytes(&desk.read("c")).unwrap();
    let received = secret.decapsulate(&ciphertext).unwrap();
    assert_eq!(received.expose_bytes().as_slice(), desk.read("k"));
    let kept = "kem generate --custody server --public o --attestation-out o2 --secret-out s";
    desk.remote(kept).refused(2, "--secret-out is for --custody client");
    assert!(!desk.path("s").exists() && !desk.path("o").exists());
}

#[test]
fn what_is_wrong_here_is_said_before_an_attempt_is_spent() {
    let desk = Desk::new().with_key();
    desk.lent("lent", "--attempts 1");
    fs::write(desk.path("short"), [7; 31]).unwrap();
    fs::write(desk.path("bytes"), [0xff; 99]).unwrap();
    desk.remote("sign --public me.sig.pem --out sig note.txt").ended(0);
    let long = "x".repeat(256);
    for (line, why) in [
        ("aes encrypt --out o none.txt", "cannot read the text in none.txt"),
        ("aes encrypt --out o bytes", "bytes is no text in UTF-8"),
        ("aes encrypt --key short --out o note.txt", "key must be 32 bytes, not 31"),
        ("aes encrypt --out note.txt note.txt", "note.txt is there already: --force replaces it"),
        ("aes encrypt --out no/such/folder note.txt", "cannot write no/such/folder"),
        ("aes encrypt note.txt", "--out"),
        ("aes encrypt --json --out - note.txt", "with --json stdout is for the object"),
        ("aes decrypt --out o note.txt", "note.txt: "),
        ("kem generate --public p --attestation-out note.txt", "note.txt is there already"),
        ("kem generate --public - --attestation-out -", "two outputs cannot both go to stdout"),
        ("kem generate --algorithm Kyber --public p --attestation-out a", "ML-KEM-512"),
        (
            "kem encapsulate --public-key me.sig.pem --attestation me.att --ciphertext-out o \
             --shared-secret-out o2",
            "verifies signatures",
        ),
        (
            "kem encapsulate --public-key me.pub.pem --attestation note.txt --ciphertext-out o \
             --shared-secret-out o2",
            "attestation must be",
        ),
        (
            "kem decapsulate --public-key me.pub.pem --ciphertext note.txt --shared-secret-out o",
            "ciphertext must be",
        ),
        ("verify --public-key me.pub.pem --signature sig note.txt", "give one that verifies"),
        ("verify --public-key me.sig.pem --signature note.txt note.txt", "signature must be"),
        (&format!("sign --context {long} --out o note.txt"), "at most 255 bytes"),
        ("sign --algorithm RSA --out o note.txt", "ML-DSA-44"),
        ("token new --operations fly", "kem.generate"),
        ("token new --attempts 0", "--attempts"),
        ("token new --expiry 2d", "--expiry"),
        ("token new --expiry 25h", "a day at most"),
    ] {
        let run = desk.by("lent", line).ended(2);
        assert!(run.stderr.contains(why), "{line}: {run:?}");
        assert_eq!(run.stdout, "", "{line}");
    }
    let left = desk.by("lent", "token self --json").json();
    assert_eq!(left["attempts_left"], 1, "nothing was spent");
    assert!(!desk.path("o").exists() && !desk.path("p").exists());
    desk.by("lent", "aes encrypt --force --out note.txt note.txt").ended(0);
}

#[test]
fn stdin_and_stdout_are_files_too() {
    let desk = Desk::new();
    let url = desk.server.url();
    let remote = |line: &str, stdin: &[u8]| {
        desk.pqc(&format!("--server {url} --token-file root.token remote {line}"), stdin)
    };
    remote("aes encrypt --out box -", TEXT.as_bytes()).ended(0);
    // The text alone, as it was.
    assert_eq!(remote("aes decrypt --out - box", b"").ended(0).stdout, TEXT);
    let sealed = desk.read("box");
    assert_eq!(remote("aes decrypt --out - -", &sealed).ended(0).stdout, TEXT);

    let token = format!("{}\n", desk.account.root.token);
    let self_line = format!("--server {url} --token-file - remote token self --json");
    assert_eq!(desk.pqc(&self_line, token.as_bytes()).json()["kind"], "root");
    let both = format!("--server {url} --token-file - remote aes encrypt --out o -");
    desk.pqc(&both, token.as_bytes()).refused(2, "stdin is the token already");
}

#[test]
fn who_cannot_be_asked_is_status_2() {
    let desk = Desk::new();
    let url = desk.server.url();
    desk.pqc("remote token self", b"").refused(2, "which server? name it with --server");
    desk.pqc(&format!("--server {url} remote token self"), b"").refused(2, "by which token?");
    let at = |server: &str| format!("--server {server} --token-file root.token remote token self");
    desk.pqc(&at(&url), b"").ended(0);
    for (server, why) in [
        ("pqc.example", "the server's URL"),
        ("http://pqc.example", "give an https:// URL"),
        ("https://me:hunter2@pqc.example", "no password"),
        ("http://127.0.0.1:9", "is the server running, and --server right?"),
        (&format!("{url}/no/such/path"), "is --server the URL of a pqc server?"),
        (&url.replace("http://", "https://"), "no secure connection"),
    ] {
        let run = desk.pqc(&at(server), b"");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{server}: {run:?}");
        assert!(run.stderr.contains(why) && !run.stderr.contains("hunter2"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
    desk.write_private("no.token", "hunter2\n");
    let by = |file: &str| format!("--server {url} --token-file {file} remote token self");
    let run = desk.pqc(&by("no.token"), b"");
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
    run.refused(2, "no.token is no token");
    desk.pqc(&by("none"), b"").refused(2, "cannot read none");
    let token = &desk.account.root.token;
    let run = desk.pqc(&by(token), b"");
    assert!(!run.stderr.contains(&**token), "{run:?}");
    run.refused(2, "was given a token");

    fs::set_permissions(desk.path("root.token"), fs::Permissions::from_mode(0o644)).unwrap();
    let run = desk.pqc(&by("root.token"), b"").ended(0);
    assert!(run.stderr.contains("warning: root.token can be read by others"), "{run:?}");
}

#[test]
fn the_command_line_wins_over_the_profile_and_that_over_the_environment() {
    let desk = Desk::new();
    let (url, nowhere) = (desk.server.url(), "http://127.0.0.1:9");
    fs::create_dir_all(desk.path("config/pqc")).unwrap();
    let profiles = format!(
        "[right]\nserver = '{url}'\ntoken_file = '../../root.token'\nissuer = '../../issuer.jwks'\n\
         [wrong]\nserver = '{nowhere}'\ntoken_file = 'none'\n[odd]\ntoken = 'hunter2'\n"
    );
    fs::write(desk.path("config/pqc/profiles.toml"), profiles).unwrap();
    let with = |env: &[(&str, &str)], line: &str| {
        let mut command = pqc();
        command.current_dir(desk.path("")).env("XDG_CONFIG_HOME", desk.path("config"));
        command.envs(env.iter().copied());
        run(command.args(line.split(' ')), b"")
    };
    let token_self = "remote token self";
    with(&[], &format!("--profile right {token_self}")).ended(0);
    let generate = "remote kem generate --public p --attestation-out a --json";
    assert_eq!(with(&[], &format!("{generate} --profile right")).json()["pinned"], true);
    let env = [("PQC_SERVER", url.as_str()), ("PQC_TOKEN_FILE", "root.token")];
    with(&env, token_self).ended(0);
    // The token of a profile goes to its server, and to no other.
    with(&env, &format!("--profile wrong {token_self}")).refused(2, "none");
    with(&[("PQC_SERVER", nowhere)], &format!("--profile right {token_self}")).ended(0);
    let typed = format!("--server {nowhere} --profile right {token_self}");
    with(&env, &typed).refused(2, "no answer from the server");

    let wrong = |name: &str, why: &str| {
        let run = with(&[], &format!("--profile {name} {token_self}"));
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
        run.refused(2, why);
    };
    wrong("none", "it has no profile \"none\"; it has");
    wrong("odd", "odd.token is unknown");
    desk.pqc(&format!("--profile right {token_self}"), b"").ended(2);

    // The variables are no mistake where another verb runs, and the options are one.
    let list = format!("account list --data-dir {}", desk.server.folder.data_dir().display());
    with(&env, &list).ended(0);
    for option in ["--server", "--token-file", "--issuer", "--ca-file", "--profile"] {
        let why = format!("{option} is for the verbs that ask a server");
        with(&[], &format!("{option} x {list}")).refused(2, &why);
    }
}

#[test]
fn a_private_certificate_authority_is_trusted_if_it_is_named() {
    let made = rcgen::generate_simple_self_signed(["localhost", "127.0.0.1"].map(str::to_owned));
    let (made, folder) = (made.unwrap(), Folder::new());
    let file = |name: &str| folder.beside(name).display().to_string();
    fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let options = format!("--tls-cert {} --tls-key {}", file("cert.pem"), file("key.pem"));
    let server = folder.serve_with(&options);
    let asked = |ca: &str| {
        let token = folder.file("root-token").display().to_string();
        let line = format!("--server {} --token-file {token} {ca}remote token self", server.url());
        run(pqc().args(line.split(' ')), b"")
    };
    let ca_file = |name: &str| format!("--ca-file {} ", file(name));
    assert!(asked(&ca_file("cert.pem")).ended(0).stdout.contains("root"));
    asked("").refused(2, "--ca-file, if it has one");
    asked(&ca_file("key.pem")).refused(2, "there is none in the PEM text");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(file("other.pem"), other.cert.pem()).unwrap();
    asked(&ca_file("other.pem")).refused(2, "no secure connection to the server");
}

const TEXT: &str = "Meet me at noon. Zażółć gęślą jaźń, 你好 🔑";
