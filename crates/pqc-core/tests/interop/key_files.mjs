// Opens key files of pqc-core and writes some for it, by Node 26 (OpenSSL).
//
// Reads one JSON object from standard input and writes one to standard output; bytes are hex. Exit
// status 77: this Node is too old, and nothing was checked. Run by tests/core/key_files/interop.rs.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";

if (crypto.encapsulate === undefined) {
  console.error(`Node 26, not ${process.version}`);
  process.exit(77);
}

const request = JSON.parse(fs.readFileSync(0, "utf8"));
const passphrase = Buffer.from(request.passphrase, "hex");
const message = Buffer.from(request.message, "hex");
const context = Buffer.from(request.context, "hex");

const keys = {};
for (const [name, ours] of Object.entries(request.keys)) {
  const bytes = Object.entries(ours).map(([part, text]) => [part, Buffer.from(text, "hex")]);
  const answer = exchange(name, Object.fromEntries(bytes));
  keys[name] = Object.fromEntries(
    Object.entries(answer).map(([part, made]) => [part, Buffer.from(made).toString("hex")]),
  );
}
const version = `${process.version}, OpenSSL ${process.versions.openssl}`;
// `mu` and the hash functions of HashML-DSA are no options of its sign and verify.
const lacks = ["external mu", "HashML-DSA"];
console.log(JSON.stringify({ version, keys, unsupported: [], lacks }));

// Opens every file of ours and uses the keys; writes the same of a key of its own.
function exchange(name, ours) {
  const type = "pkcs8";
  const pkcs8 = { type, format: "pem" };
  const open = (key, format) => crypto.createPrivateKey({ key, format, type, passphrase });
  const encrypted = open(ours.encrypted_pem, "pem");
  const expanded = open(ours.expanded_pem, "pem");
  const secrets = [
    open(ours.private_pem, "pem"),
    open(ours.private_der, "der"),
    encrypted,
    open(ours.encrypted_der, "der"),
    crypto.createPrivateKey({ key: JSON.parse(ours.private_jwk), format: "jwk" }),
  ];
  const raw = { key: ours.public_raw, format: "raw-public", asymmetricKeyType: name.toLowerCase() };
  const publics = [
    crypto.createPublicKey(raw),
    crypto.createPublicKey(ours.public_pem),
    crypto.createPublicKey({ key: ours.public_der, format: "der", type: "spki" }),
    crypto.createPublicKey({ key: JSON.parse(ours.public_jwk), format: "jwk" }),
  ];
  const spki = { type: "spki", format: "pem" };
  for (const key of [...secrets, expanded]) {
    assert.equal(key.asymmetricKeyType, name.toLowerCase());
    assert.equal(crypto.createPublicKey(key).export(spki), ours.public_pem.toString());
  }
  for (const key of publics) assert.equal(key.export(spki), ours.public_pem.toString());
  for (const key of secrets) assert.equal(key.export(pkcs8), ours.private_pem.toString());
  assert.equal(expanded.export(pkcs8), ours.expanded_pem.toString());
  assert.throws(() => crypto.createPrivateKey({ key: ours.encrypted_pem, passphrase: "wrong" }));

  const theirs = crypto.generateKeyPairSync(name.toLowerCase());
  const answer = write(theirs);
  const foreign = { ...JSON.parse(ours.private_jwk), pub: JSON.parse(answer.public_jwk).pub };
  assert.throws(() => crypto.createPrivateKey({ key: foreign, format: "jwk" }));
  if (name.startsWith("ML-KEM")) {
    answer.opened = crypto.decapsulate(encrypted, ours.ciphertext);
    assert.deepEqual(crypto.decapsulate(expanded, ours.ciphertext), answer.opened);
    answer.rejected = crypto.decapsulate(encrypted, flipped(ours.ciphertext));
    answer.opened_by_wrong_key = crypto.decapsulate(theirs.privateKey, ours.ciphertext);
    const toOurs = crypto.encapsulate(publics[0]);
    [answer.secret_to_ours, answer.ciphertext_to_ours] = [toOurs.sharedKey, toOurs.ciphertext];
    const own = crypto.encapsulate(theirs.publicKey);
    [answer.secret, answer.ciphertext] = [own.sharedKey, own.ciphertext];
  } else {
    const verify = (message, key, context, signature) =>
      crypto.verify(null, message, { key, context }, signature);
    for (const key of publics) assert(verify(message, key, context, ours.signature));
    assert(!verify(message, publics[0], context, flipped(ours.signature)));
    assert(!verify(message, publics[0], context, ours.signature.subarray(1)));
    assert(!verify(message, publics[0], flipped(context), ours.signature));
    assert(!verify(flipped(message), publics[0], context, ours.signature));
    assert(!verify(message, theirs.publicKey, context, ours.signature));
    // Of another domain than a pure signature.
    assert(!verify(message, publics[0], context, ours.prehash_signature));
    answer.signature_by_ours = crypto.sign(null, message, { key: expanded, context });
    answer.signature = crypto.sign(null, message, { key: theirs.privateKey, context });
  }
  return answer;
}

function write({ privateKey, publicKey }) {
  const answer = { public_raw: publicKey.export({ format: "raw-public" }) };
  answer.public_jwk = JSON.stringify(publicKey.export({ format: "jwk" }));
  answer.private_jwk = JSON.stringify(privateKey.export({ format: "jwk" }));
  for (const format of ["pem", "der"]) {
    const pkcs8 = { type: "pkcs8", format };
    answer[`private_${format}`] = privateKey.export(pkcs8);
    const cipher = "aes-256-cbc";
    answer[`encrypted_${format}`] = privateKey.export({ ...pkcs8, cipher, passphrase });
    answer[`public_${format}`] = publicKey.export({ type: "spki", format });
  }
  return answer;
}

function flipped(bytes) {
  const altered = Buffer.from(bytes);
  altered[altered.length >> 1] ^= 1;
  return altered;
}
