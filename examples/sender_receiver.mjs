// A sender and a receiver establish a key and use it, over a running server.
//
//     node sender_receiver.mjs http://127.0.0.1:8000 pqc-data/root-token
//
// Node 18 or later, no packages. Prints each step with sizes, never a secret. Exit status: 0 if
// every step went as it should, 1 with a message if one did not, 2 for bad usage.

import { readFile } from "node:fs/promises";
import process from "node:process";

const TEXT = "Meet me at noon. Zażółć gęślą jaźń, 你好 🔑";

// One party: a server's address, and the token that authorizes this party's calls.
class Client {
  constructor(baseUrl, token) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.token = token;
  }

  // The answer to a public GET: no token goes with it.
  async get(path) {
    const response = await fetch(this.baseUrl + path);
    check(response.status === 200, `GET ${path} answered ${response.status}`);
    return json(response);
  }

  // The answer to a POST; its status must be `expect`.
  async post(path, body, expect = 200) {
    const response = await fetch(this.baseUrl + path, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await json(response);
    // A problem document names what is wrong, and holds no secret.
    const detail = response.status >= 400 ? `: ${answer.detail}` : "";
    check(
      response.status === expect,
      `POST ${path} answered ${response.status}, not ${expect}${detail}`,
    );
    return answer;
  }
}

// The JSON body of an answer; what it holds instead is not shown, for it may be a secret.
async function json(response) {
  try {
    return await response.json();
  } catch {
    throw new Error(`${new URL(response.url).pathname} answered something that is not JSON`);
  }
}

function check(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

// Bytes in a hex string.
function size(value) {
  check(/^([0-9a-f]{2})+$/.test(value), "a value is not hex");
  return value.length / 2;
}

function step(who, text) {
  console.log(`${who.padEnd(9)} ${text}`);
}

// A temporary token for a few operations: five minutes, `attempts` calls.
async function newToken(root, operations, attempts) {
  const answer = await root.post("/api/token/new", {
    operations,
    expire_after_attempts: attempts,
    expiry_time: 300,
  });
  check(typeof answer.new_token === "string", "there is no new token");
  return answer.new_token;
}

// The issuer keys that the server publishes, in hex.
async function publishedIssuerKeys(client) {
  const { keys } = await client.get("/.well-known/jwks.json");
  return keys
    .filter((key) => key.kty === "AKP")
    .map((key) => Buffer.from(key.pub, "base64url").toString("hex"));
}

async function flow(baseUrl, rootToken) {
  // The account's owner gives each party a token that does what this party needs, no more.
  const root = new Client(baseUrl, rootToken);
  const receiver = new Client(
    baseUrl,
    await newToken(root, ["kem.generate", "kem.decapsulate", "aes.decrypt", "sign"], 4),
  );
  const sender = new Client(
    baseUrl,
    await newToken(root, ["kem.encapsulate", "aes.encrypt", "verify"], 4),
  );
  step("owner", "a token for each party: 4 calls, 5 minutes, a few operations");

  // Not among the sender's operations: refused, and none of its calls is spent.
  await sender.post("/api/kem/generate_keys", {}, 403);
  step("sender", "may not make keys: 403");

  // The receiver's secret key stays in the server, sealed.
  const key = await receiver.post("/api/kem/generate_keys", {});
  check(size(key.pk) === 1184, "an ML-KEM-768 public key has 1184 bytes");
  step("receiver", `made a key pair: public key ${size(key.pk)} bytes,`);
  step("", `signed by the issuer: ${size(key.verification_signature)} bytes`);

  // A key that travels with the key it vouches for proves nothing: the sender compares it with
  // the published one. A program that runs for long pins the published key instead.
  const published = await publishedIssuerKeys(sender);
  check(published.includes(key.verification_key), "the issuer key is not the published one");
  step("sender", `the issuer key is the published one: ${size(key.verification_key)} bytes`);

  // `account` says whose key the sender expects; a real sender knows it beforehand.
  const sealed = await sender.post("/api/kem/encapsulate_key", {
    pk: key.pk,
    signature: key.verification_signature,
    verif_key: key.verification_key,
    account: key.account,
  });
  check(size(sealed.shared_key) === 32, "a shared key has 32 bytes");
  step("sender", `encapsulated: ciphertext ${size(sealed.cipher)} bytes, a 32-byte shared key`);

  const encrypted = await sender.post("/api/aes/encrypt_text", {
    unencrypted: TEXT,
    key: sealed.shared_key,
  });
  step("sender", `encrypted ${Buffer.byteLength(TEXT)} bytes of text to ${size(encrypted)} bytes`);

  // From the sender the receiver gets two values: the ciphertext and the encrypted text.
  const opened = await receiver.post("/api/kem/decapsulate_key", {
    cipher: sealed.cipher,
    pk: key.pk,
  });
  step("receiver", `decapsulated: a ${size(opened.shared_key)}-byte shared key`);
  const decrypted = await receiver.post("/api/aes/decrypt_text", {
    ciphertext: encrypted,
    key: opened.shared_key,
  });
  check(decrypted === TEXT, "the decrypted text is not the one that was encrypted");
  step("receiver", "decrypted the text: both hold the same key");

  const receipt = "received: 1 message";
  const signed = await receiver.post("/api/signature/sign", { data: receipt });
  step("receiver", `signed a receipt: signature ${size(signed.signature)} bytes`);
  for (const [data, genuine] of [[receipt, true], [`${receipt}s`, false]]) {
    const answer = await sender.post("/api/signature/verify", {
      data,
      pk: signed.pk,
      signature: signed.signature,
    });
    check(answer.verified === genuine, `verified is not ${genuine} for '${data}'`);
    step("sender", `verified '${data}': ${genuine}`);
  }

  const body = { data: receipt, pk: signed.pk, signature: signed.signature };
  await sender.post("/api/signature/verify", body, 401);
  step("sender", "the token's 4 calls are spent: 401");
}

async function main([baseUrl, rootTokenFile, ...rest]) {
  if (rootTokenFile === undefined || rest.length > 0) {
    console.error("usage: sender_receiver.mjs BASE_URL ROOT_TOKEN_FILE");
    return 2;
  }
  try {
    check(typeof fetch === "function", "Node 18 or later is needed");
    await flow(baseUrl, (await readFile(rootTokenFile, "ascii")).trim());
  } catch (error) {
    // fetch hides the reason of a refused connection in `cause`.
    const cause = error.cause ? `: ${error.cause.message || error.cause.code}` : "";
    console.error(`sender_receiver: ${error.message}${cause}`);
    return 1;
  }
  console.log("done");
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
