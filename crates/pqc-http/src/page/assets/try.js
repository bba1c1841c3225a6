// The tour: calls the API as a sender and a receiver do, and shows what goes out and comes back.
import { LANGUAGES, bytesOf, count, isHex, shortened } from "./snippets.js";

const find = (name, number) => document.getElementById(`${name}-${number}`);
const sections = [...document.querySelectorAll(".step")];
const field = document.getElementById("text");

const tour = { token: undefined, left: 0, ends: 0, isBusy: false, isAltered: false, language: "curl" };
// Of each step that went well, by its number.
const answers = sections.map(() => undefined);

// A value of an earlier answer, or what stands for it until it is there.
function of(number, name) {
  const answer = answers[number];
  if (answer === undefined) {
    return `<${name} of step ${number}>`;
  }
  return typeof answer === "string" ? answer : answer[name];
}

const receipt = () => `I have received: ${of(5, "text")}`;

// What each step needs of earlier ones, sends, and says of its answer.
const STEPS = [
  {
    needs: [],
    body: () => ({ expire_after_attempts: Number(sections[0].dataset.attempts), label: "Try it" }),
    says: ({ attempts }) => `The token is there: for ${attempts} calls, until ${clock(tour.ends)}.`,
  },
  {
    needs: [],
    body: () => ({}),
    says: ({ sk }) =>
      sk === undefined
        ? "The key pair is made. Its secret key stayed on the server."
        : "The key pair is made. This account holds its own keys, so the secret key came with it.",
  },
  {
    needs: [1],
    body: () => ({
      pk: of(1, "pk"),
      signature: of(1, "verification_signature"),
      verif_key: of(1, "verification_key"),
    }),
    says: () => "The public key is signed for. The sender keeps the shared key, and sends the cipher.",
  },
  {
    needs: [2],
    body: () => ({ unencrypted: field.value, key: of(2, "shared_key") }),
    says: () => "The text is encrypted.",
  },
  {
    needs: [1, 2],
    // Without a stored key the receiver brings its own.
    body: () =>
      answers[1]?.sk === undefined
        ? { cipher: of(2, "cipher"), pk: of(1, "pk") }
        : { cipher: of(2, "cipher"), sk: of(1, "sk") },
    says: ({ shared_key }) =>
      shared_key === of(2, "shared_key")
        ? "The same 32 bytes: nobody sent them."
        : "This is not the sender's key. It should be: please report it.",
  },
  {
    needs: [3, 4],
    body: () => ({ ciphertext: of(3, "encrypted text"), key: of(4, "shared_key") }),
    says: (text) =>
      text === field.value
        ? "This is the text that the sender typed."
        : "This is not what the sender typed. It should be: please report it.",
  },
  {
    needs: [5],
    body: () => ({ data: receipt() }),
    says: () => "The receipt is signed.",
  },
  {
    needs: [6],
    body: () => ({
      data: tour.isAltered ? receipt().replace("received", "deceived") : receipt(),
      pk: of(6, "pk"),
      signature: of(6, "signature"),
    }),
    says: ({ verified }) =>
      verified
        ? "True: the receiver signed this receipt, and nobody changed it."
        : "False: the receiver did not sign this receipt.",
  },
];

async function post(path, credentials, headers, body) {
  const begun = performance.now();
  const response = await fetch(path, { method: "POST", credentials, headers, body });
  const text = await response.text();
  const took = performance.now() - begun;
  const isJson = /^application\/(problem\+)?json/.test(response.headers.get("Content-Type"));
  return { status: response.status, took, json: isJson ? JSON.parse(text) : undefined };
}

// The one call that the session makes.
async function mint() {
  const form = new URLSearchParams({ form_token: document.getElementById("form-token").value });
  const got = await post("/try/token", "same-origin", {}, form);
  if (got.status === 200) {
    tour.token = got.json.token;
    tour.left = got.json.attempts;
    tour.ends = got.json.expires_at * 1000;
  }
  return got;
}

// All others are the token's; the cookie would open nothing.
async function call(number) {
  const headers = { Authorization: `Bearer ${tour.token}`, "Content-Type": "application/json" };
  const body = JSON.stringify(STEPS[number].body());
  const got = await post(sections[number].dataset.path, "omit", headers, body);
  // What is refused before the call begins spends nothing.
  if (got.status === 401) {
    tour.left = 0;
  }
  if (![401, 429, 503].includes(got.status)) {
    tour.left = Math.max(0, tour.left - 1);
  }
  return got;
}

// Runs a step; tells whether it went well.
async function run(number, isAltered = false) {
  // What later steps show came of the answer that goes now; only a token is in none of them.
  if (number > 0) {
    forget(number + 1);
  }
  if (number === 7) {
    tour.isAltered = isAltered;
  }
  refresh();
  say(number, "Waiting for the answer …");
  sections[number].setAttribute("aria-busy", "true");
  try {
    const got = await (number === 0 ? mint() : call(number));
    const isWell = got.status === 200;
    answers[number] = isWell ? got.json : undefined;
    show(number, got);
    say(number, isWell ? STEPS[number].says(got.json) : refusal(number, got), isWell);
    return isWell;
  } catch {
    if (number > 0) {
      forget(number);
    }
    say(number, "There was no answer: the server cannot be reached. Run this step again.", false);
    return false;
  } finally {
    sections[number].removeAttribute("aria-busy");
    refresh();
  }
}

async function runAll() {
  const said = document.getElementById("tour-said");
  const isTokenGood = tour.left >= STEPS.length - 1 && Date.now() < tour.ends - 30_000;
  for (let number = isTokenGood ? 1 : 0; number < STEPS.length; number += 1) {
    said.textContent = `Step ${number} of ${STEPS.length - 1} …`;
    if (!(await run(number))) {
      said.textContent = `Step ${number} did not go well: it says why.`;
      return;
    }
  }
  said.textContent = "All steps are done.";
}

// One thing at a time. Buttons stay as they are meanwhile, so that none loses the focus.
async function alone(work) {
  if (tour.isBusy) {
    return;
  }
  tour.isBusy = true;
  field.readOnly = true;
  try {
    await work();
  } finally {
    tour.isBusy = false;
    field.readOnly = false;
  }
}

function forget(from) {
  for (let number = from; number < STEPS.length; number += 1) {
    answers[number] = undefined;
    find("answer", number).hidden = true;
    find("copied", number).textContent = "";
    say(number, "");
  }
  tour.isAltered = false;
}

function refusal(number, { status, json }) {
  if (number === 0 && (status === 401 || status === 400)) {
    // The way back leads by another page; what was typed is to outlive it, in this tab alone.
    sessionStorage.setItem(KEPT_TEXT, field.value);
    const link = document.createElement("a");
    link.href = "/try";
    link.textContent = "Sign in, or load this page, again";
    return ["Your session has ended, and no token was minted. ", link, ": what you typed is kept."];
  }
  if (status === 401) {
    return "This token is spent, or has expired. Run step 0 again for a new one: all else stays.";
  }
  const why = json?.detail ?? "It does not say why.";
  return `The server refused this with status ${status}. ${why}`;
}

function say(number, said, isWell = true) {
  const outcome = find("outcome", number);
  outcome.classList.toggle("error", !isWell);
  outcome.replaceChildren(...[said].flat());
}

function show(number, { status, took, json }) {
  find("copied", number).textContent = "";
  find("answer", number).hidden = json === undefined;
  if (json === undefined) {
    return;
  }
  const pretty = JSON.stringify(json, null, 2);
  find("measured", number).textContent = `Status ${status}, in ${took.toFixed(1)} ms`;
  find("pretty", number).textContent = shortened(pretty);
  find("response", number).value = number === 0 ? (json.token ?? pretty) : pretty;
  find("sizes", number).replaceChildren(...(status === 200 ? sizes(number, json) : []));
}

function sizes(number, json) {
  const isText = number === 5;
  const name = isText ? "The text" : "The encrypted text";
  const values = typeof json === "string" ? { [name]: json } : json;
  const sized = Object.entries(values).filter(([, value]) => isText || isHex(value));
  return sized.map(([member, value]) => {
    const item = document.createElement("li");
    const bytes = bytesOf(value, !isText);
    item.textContent = `${member}: ${count(bytes)} ${bytes === 1 ? "byte" : "bytes"}`;
    return item;
  });
}

// Writes every request anew, and lets those steps be run that have what they need.
function refresh() {
  STEPS.forEach(({ needs, body }, number) => {
    const request = LANGUAGES[tour.language]({
      url: location.origin + sections[number].dataset.path,
      body: body(),
      tokenVariable: number === 0 ? "PQC_ROOT_TOKEN" : "PQC_TOKEN",
    });
    find("shown", number).textContent = shortened(request);
    find("request", number).value = request;

    const isWithoutToken = number > 0 && tour.token === undefined;
    const first = isWithoutToken ? 0 : needs.find((needed) => answers[needed] === undefined);
    find("needs", number).textContent = first === undefined ? "" : `Run step ${first} first.`;
    for (const button of sections[number].querySelectorAll("[data-run], [data-alter]")) {
      button.disabled = first !== undefined;
    }
  });
  if (tour.token !== undefined) {
    document.getElementById("left").textContent = `The token serves ${tour.left} more calls.`;
  }
}

function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString(undefined, { timeStyle: "short" });
}

const KEPT_TEXT = "pqc-try-text";

for (const button of document.querySelectorAll("[data-run]")) {
  button.addEventListener("click", () => alone(() => run(Number(button.dataset.run))));
}
for (const button of document.querySelectorAll("[data-alter]")) {
  button.addEventListener("click", () => alone(() => run(Number(button.dataset.alter), true)));
}
const languages = document.querySelectorAll("[data-language]");
for (const button of languages) {
  button.addEventListener("click", () => {
    tour.language = button.dataset.language;
    for (const other of languages) {
      other.setAttribute("aria-pressed", String(other.dataset.language === tour.language));
    }
    refresh();
  });
}
field.addEventListener("input", () => {
  // What stood there was of another text.
  forget(3);
  refresh();
});
const all = document.getElementById("run-all");
all.addEventListener("click", () => alone(runAll));

field.value = sessionStorage.getItem(KEPT_TEXT) ?? field.value;
sessionStorage.removeItem(KEPT_TEXT);
refresh();
for (const button of [all, ...languages, ...document.querySelectorAll(".step [data-copy]")]) {
  button.disabled = false;
}
