// Connects by TLS with the groups that it is told, asks for /healthz, and says what was agreed on.
// Node 26 brings OpenSSL 3.5 or later, whose hybrid is another implementation than the server's.
import { readFileSync } from "node:fs";
import process from "node:process";
import tls from "node:tls";

const [major, minor] = process.versions.openssl.split(".").map(Number);
if (major < 3 || (major === 3 && minor < 5)) {
  console.error(`its OpenSSL ${process.versions.openssl} has no hybrid groups`);
  process.exit(77);
}
const { port, certificate, groups, protocols, newest } = JSON.parse(readFileSync(0, "utf8"));
const answer = (value) => {
  console.log(JSON.stringify(value));
  process.exit(0);
};
const socket = tls.connect({
  host: "127.0.0.1",
  port,
  servername: "localhost",
  ca: certificate,
  ecdhCurve: groups,
  ALPNProtocols: protocols,
  maxVersion: newest,
});
socket.on("error", (error) => answer({ refused: error.code ?? error.message }));
socket.on("secureConnect", () => {
  const agreed = {
    version: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    group: socket.getEphemeralKeyInfo(),
    protocol: socket.alpnProtocol,
    serial: socket.getPeerCertificate().serialNumber,
  };
  if (socket.alpnProtocol === "h2") answer({ agreed });
  let text = "";
  socket.on("data", (data) => {
    text += data;
    if (text.includes("\r\n\r\n")) answer({ agreed, status: Number(text.slice(9, 12)) });
  });
  socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
});
