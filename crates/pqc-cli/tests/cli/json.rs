//! `--json`: every verb prints what `pqc help json` says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::run::Folder;

/// Verbs that print something else in any case, or several objects.
const WITHOUT: [&str; 5] = ["serve", "audit export", "acvp", "completions", "help"];

/// A server with a store in the folder `data`.
struct Server(Child, String);

impl Server {
    fn start(folder: &Folder) -> Self {
        let mut command =
            folder.command(&["--json", "serve", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self(child, said["listening"].as_str().unwrap().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs verbs, and compares what they print with what is written of them.
struct Checked {
    folder: Folder,
    written: BTreeMap<String, String>,
    verbs: BTreeSet<String>,
}

impl Checked {
    /// The object that `line` prints; `verb` is how it begins.
    #[track_caller]
    fn run(&mut self, verb: &str, rest: &str) -> Value {
        self.ended(0, verb, rest)
    }

    /// The same with this exit status.
    #[track_caller]
    fn ended(&mut self, code: i32, verb: &str, rest: &str) -> Value {
        let line = format!("--json {verb} {rest}");
        let output = self.folder.run(&line.split_whitespace().collect::<Vec<_>>(), b"");
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.lines().count(), 1, "{line}: {printed}");
        let object: Value = serde_json::from_str(&printed).unwrap();
        let written = self.written.get(verb).map_or("", String::as_str);
        let missing = differences(&members(written), &object);
        assert_eq!(missing, [""; 0], "{verb}: {printed}");
        self.verbs.insert(verb.to_owned());
        object
    }
}

/// `a, b?, list[c, d]`, one level deep.
fn members(written: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut members = BTreeMap::new();
    let mut rest = written;
    while !rest.is_empty() {
        let end = rest.find([',', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let mut within = Vec::new();
        rest = behind;
        if let Some(behind) = behind.strip_prefix('[') {
            let (list, behind) = behind.split_once(']').expect("a list ends");
            within = list.split(", ").collect();
            rest = behind;
        }
        members.insert(name, within);
        rest = rest.trim_start_matches([',', ' ']);
    }
    members
}

/// What the object has and is not written, and the other way round.
fn differences(written: &BTreeMap<&str, Vec<&str>>, object: &Value) -> Vec<String> {
    let object = object.as_object().expect("an object");
    let names: Vec<_> = written.keys().copied().collect();
    let mut differences = one_level(&names, object);
    for (name, within) in written {
        let first = object.get(*name).and_then(|list| list.get(0)).and_then(Value::as_object);
        if let Some(first) = first {
            differences.extend(one_level(within, first));
        }
    }
    differences
}

fn one_level(written: &[&str], object: &serde_json::Map<String, Value>) -> Vec<String> {
    let is_written = |name: &str| written.iter().any(|known| known.trim_end_matches('?') == name);
    let unwritten = object.keys().filter(|name| !is_written(name)).map(|name| format!("+{name}"));
    let missing =
        written.iter().filter(|name| !name.ends_with('?') && !object.contains_key(**name));
    unwritten.chain(missing.map(|name| format!("-{name}"))).collect()
}

/// The lines `verb: members` of the topic, with their continuations.
fn topic(text: &str) -> BTreeMap<String, String> {
    let joined = text.replace("\n    ", " ");
    let lines = joined.lines().skip(2).filter_map(|line| line.split_once(": "));
    lines.map(|(verb, members)| (verb.to_owned(), members.to_owned())).collect()
}

#[test]
fn each_verb_prints_the_members_that_are_written() {
    let folder = Folder::new();
    let written = topic(&folder.pqc(&["help", "json"]));
    let server = Server::start(&folder);
    let mut all = Checked { folder, written, verbs: BTreeSet::new() };

    keys_and_files(&mut all);
    asking(&mut all, &server.1);
    operating(&mut all);
    drop(server);
    for (verb, rest) in [("selftest", ""), ("bench", "--time 1"), ("demo", "")] {
        all.run(verb, rest);
    }

    let pages = all.run("man", "--out man");
    let pages: Vec<_> =
        pages["pages"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let names: Vec<_> = pages.iter().map(|page| page.trim_end_matches(".1")).collect();
    let is_leaf = |name: &&str| !names.iter().any(|other| other.starts_with(&format!("{name}-")));
    let leaves: BTreeSet<_> = names.iter().filter(|name| is_leaf(name)).copied().collect();
    let page = |verb: &str| format!("pqc-{}", verb.replace(' ', "-"));
    let ran: BTreeSet<_> = all.verbs.iter().map(|verb| page(verb)).collect();
    let left: Vec<_> = leaves
        .into_iter()
        .filter(|leaf| !ran.contains(*leaf) && !WITHOUT.iter().any(|verb| page(verb) == **leaf))
        .collect();
    assert_eq!(left, [""; 0], "not run");
    let written: BTreeSet<_> = all.written.keys().cloned().collect();
    assert_eq!(written, all.verbs);
}

fn keys_and_files(all: &mut Checked) {
    all.folder.write("text", "a text\n");
    all.run("kem keygen", "--out me.pem --public me.pub");
    all.run("kem encapsulate", "--public-key me.pub --ciphertext-out c --shared-secret-out k");
    all.run("kem decapsulate", "--key me.pem --ciphertext c --shared-secret-out k2");
    all.run("sig keygen", "--out s.pem --public s.pub");
    all.run("sig sign", "--key s.pem --out sig text");
    all.run("sig verify", "--public-key s.pub --signature sig text");
    all.run("sig sign", "--key s.pem --manifest sums --out sums.sig text me.pub");
    all.folder.write("text", "another text\n");
    let altered = "--public-key s.pub --manifest sums --signature sums.sig";
    let verdict = all.ended(1, "sig verify", altered);
    assert_eq!(verdict["faults"].as_array().unwrap().len(), 1);
    all.run("encrypt", "-r me.pub --sign-with s.pem -o text.pqc text");
    all.run("decrypt", "-i me.pem --verify-with s.pub -o back text.pqc");
    for file in ["text.pqc", "me.pub", "s.pem", "sig", "c", "data/root-token"] {
        all.run("inspect", file);
    }
}

fn asking(all: &mut Checked, url: &str) {
    let issuer = all.folder.pqc(&["--json", "issuer", "show", "--data-dir", "data"]);
    all.folder.write("issuer.jwks", issuer);
    let at = format!("--server {url} --token-file data/root-token --issuer issuer.jwks");
    all.run("remote token new", &at);
    all.run("remote token self", &at);
    all.run("remote kem generate", &format!("--public r.pub --attestation-out r.att {at}"));
    let to = "--public-key r.pub --attestation r.att --ciphertext-out rc --shared-secret-out rk";
    all.run("remote kem encapsulate", &format!("{to} {at}"));
    let by = "--public-key r.pub --ciphertext rc --shared-secret-out rk2";
    all.run("remote kem decapsulate", &format!("{by} {at}"));
    all.run("remote aes encrypt", &format!("--out box {at} text"));
    all.run("remote aes decrypt", &format!("--out unboxed {at} box"));
    all.run("remote sign", &format!("--out rsig --public rs.pub {at} text"));
    all.run("remote verify", &format!("--public-key rs.pub --signature rsig {at} text"));
}

fn operating(all: &mut Checked) {
    let at = "--data-dir data";
    all.run("account new", &format!("alice {at}"));
    all.run("account list", at);
    all.run("account set", &format!("alice --custody client {at}"));
    all.run("account disable", &format!("alice {at}"));
    all.run("account enable", &format!("alice {at}"));

    all.run("keys rotate", &format!("--kind signing {at}"));
    let keys = all.run("keys list", at);
    let ids: Vec<_> = keys["keys"].as_array().unwrap().iter().collect();
    let kem = ids.iter().find(|key| key["kind"] == "kem").unwrap()["key_id"].as_str().unwrap();
    all.run("keys destroy", &format!("{kem} {at}"));
    all.run("keys undelete", &format!("{kem} {at}"));

    all.run("issuer show", at);
    all.run("issuer rotate", at);
    all.run("issuer trust", &format!("s.pub {at}"));
    let trusted = all.run("issuer list", at);
    let fingerprint = trusted["issuers"][0]["fingerprint"].as_str().unwrap();
    all.run("issuer distrust", &format!("{fingerprint} {at}"));

    let token = all.run("token temp", at);
    all.run("token list", at);
    all.run("token revoke", &format!("{} {at}", token["id"].as_str().unwrap()));
    all.run("usage", at);
    all.run("audit verify", at);
    all.run("audit checkpoint", at);
    all.run("audit key", at);

    all.run("master-key new", "--out new.key");
    all.run("master-key rotate", &format!("--to new.key {at}"));
    let at = "--data-dir data --master-key-file new.key";
    all.run("master-key status", at);
    all.run("backup", &format!("--recipient me.pub backup {at}"));
    all.run("restore", "--identity me.pem --data-dir restored --master-key-file new.key backup");
    all.run("token root-reset", at);
}
