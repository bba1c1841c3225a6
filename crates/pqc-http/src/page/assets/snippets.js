// Writes a call as a program that runs as it stands, in three languages, and long values in short.
// A call is { url, body, tokenVariable }: a POST of JSON, with the token in a variable of the
// environment. The body is an object of texts and numbers, which all three languages write alike.

export const LANGUAGES = {
  curl: ({ url, body, tokenVariable }) =>
    [
      `curl -sS -X POST ${quotedForShell(url)}`,
      `-H "Authorization: Bearer $${tokenVariable}"`,
      "-H 'Content-Type: application/json'",
      `-d ${quotedForShell(literal(body))}`,
    ].join(" \\\n  "),

  python: ({ url, body, tokenVariable }) => `import json
import os
import urllib.request

body = ${literal(body, 4)}
request = urllib.request.Request(
    ${literal(url)},
    data=json.dumps(body).encode(),
    headers={
        "Authorization": "Bearer " + os.environ["${tokenVariable}"],
        "Content-Type": "application/json",
    },
    method="POST",
)
with urllib.request.urlopen(request) as response:
    print(json.dumps(json.load(response), indent=2))
`,

  javascript: ({ url, body, tokenVariable }) => `// Save it as a .mjs file, for Node.js 18 or later.
const body = ${literal(body, 2)};
const response = await fetch(${literal(url)}, {
  method: "POST",
  headers: {
    Authorization: \`Bearer \${process.env.${tokenVariable}}\`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify(body),
});
console.log(JSON.stringify(await response.json(), null, 2));
`,
};

// As a text is shown: long hex by its beginning and its length, a token by its kind alone.
export function shortened(text) {
  return text
    .replace(/[0-9a-f]{65,}/g, (hex) => `${hex.slice(0, 32)} … (${count(hex.length)} digits)`)
    .replace(/pqc_([rt])_[\w-]+/g, "pqc_$1_…");
}

// The bytes that a text is, or that its hex stands for.
export function bytesOf(text, isHex) {
  return isHex ? text.length / 2 : new TextEncoder().encode(text).length;
}

export function isHex(value) {
  return typeof value === "string" && /^([0-9a-f]{2})+$/.test(value);
}

export function count(number) {
  return number.toLocaleString("en");
}

// JSON, which is a literal in Python and JavaScript too. What does not show, breaks lines or turns
// their direction around is written by its number, so that what is shown is what runs.
function literal(value, indent) {
  const hidden = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  const number = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, indent).replace(hidden, number);
}

// Between single quotes a shell reads nothing but their end.
function quotedForShell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
