"""A sender and a receiver establish a key and use it, over a running server.

    python3 sender_receiver.py http://127.0.0.1:8000 pqc-data/root-token

Standard library only. Prints each step with sizes, never a secret. Exit status: 0 if every step
went as it should, 1 with a message if one did not, 2 for bad usage.
"""

import base64
import json
import sys
import urllib.error
import urllib.request

TEXT = "Meet me at noon. Zażółć gęślą jaźń, 你好 🔑"


class Surprise(Exception):
    """A step that did not go as it should."""


class Client:
    """One party: a server's address, and the token that authorizes this party's calls."""

    def __init__(self, base_url, token):
        self.base_url = base_url.rstrip("/")
        self.token = token

    def get(self, path):
        """The answer to a public GET: no token goes with it."""
        request = urllib.request.Request(self.base_url + path)
        status, body = send(request)
        check(status == 200, f"GET {path} answered {status}")
        return body

    def post(self, path, body, expect=200):
        """The answer to a POST; its status must be `expect`."""
        request = urllib.request.Request(
            self.base_url + path,
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
        )
        status, answer = send(request)
        if status != expect:
            # A problem document names what is wrong, and holds no secret.
            detail = f": {answer.get('detail')}" if status >= 400 else ""
            raise Surprise(f"POST {path} answered {status}, not {expect}{detail}")
        return answer


def send(request):
    """Status and JSON body of one request; an error status is an answer too."""
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def check(condition, otherwise):
    if not condition:
        raise Surprise(otherwise)


def size(value):
    """Bytes in a hex string."""
    return len(bytes.fromhex(value))


def step(who, text):
    print(f"{who:<9} {text}")


def new_token(root, operations, attempts):
    """A temporary token for a few operations: five minutes, `attempts` calls."""
    answer = root.post(
        "/api/token/new",
        {
            "operations": operations,
            "expire_after_attempts": attempts,
            "expiry_time": 300,
        },
    )
    return answer["new_token"]


def published_issuer_keys(client):
    """The issuer keys that the server publishes, in hex."""
    keys = client.get("/.well-known/jwks.json")["keys"]
    padded = [key["pub"] + "=" * (-len(key["pub"]) % 4) for key in keys if key["kty"] == "AKP"]
    return [base64.urlsafe_b64decode(key).hex() for key in padded]


def flow(base_url, root_token):
    # The account's owner gives each party a token that does what this party needs, no more.
    root = Client(base_url, root_token)
    receiver = Client(
        base_url,
        new_token(root, ["kem.generate", "kem.decapsulate", "aes.decrypt", "sign"], 4),
    )
    sender = Client(base_url, new_token(root, ["kem.encapsulate", "aes.encrypt", "verify"], 4))
    step("owner", "a token for each party: 4 calls, 5 minutes, a few operations")

    # Not among the sender's operations: refused, and none of its calls is spent.
    sender.post("/api/kem/generate_keys", {}, expect=403)
    step("sender", "may not make keys: 403")

    # The receiver's secret key stays in the server, sealed.
    key = receiver.post("/api/kem/generate_keys", {})
    pk = key["pk"]
    check(size(pk) == 1184, "an ML-KEM-768 public key has 1184 bytes")
    step("receiver", f"made a key pair: public key {size(pk)} bytes,")
    step("", f"signed by the issuer: {size(key['verification_signature'])} bytes")

    # A key that travels with the key it vouches for proves nothing: the sender compares it with
    # the published one. A program that runs for long pins the published key instead.
    verif_key = key["verification_key"]
    check(verif_key in published_issuer_keys(sender), "the issuer key is not the published one")
    step("sender", f"the issuer key is the published one: {size(verif_key)} bytes")

    # `account` says whose key the sender expects; a real sender knows it beforehand.
    sealed = sender.post(
        "/api/kem/encapsulate_key",
        {
            "pk": pk,
            "signature": key["verification_signature"],
            "verif_key": verif_key,
            "account": key["account"],
        },
    )
    check(size(sealed["shared_key"]) == 32, "a shared key has 32 bytes")
    step("sender", f"encapsulated: ciphertext {size(sealed['cipher'])} bytes, a 32-byte shared key")

    encrypted = sender.post(
        "/api/aes/encrypt_text",
        {"unencrypted": TEXT, "key": sealed["shared_key"]},
    )
    step("sender", f"encrypted {len(TEXT.encode())} bytes of text to {size(encrypted)} bytes")

    # From the sender the receiver gets two values: the ciphertext and the encrypted text.
    opened = receiver.post("/api/kem/decapsulate_key", {"cipher": sealed["cipher"], "pk": pk})
    step("receiver", f"decapsulated: a {size(opened['shared_key'])}-byte shared key")
    decrypted = receiver.post(
        "/api/aes/decrypt_text",
        {"ciphertext": encrypted, "key": opened["shared_key"]},
    )
    check(decrypted == TEXT, "the decrypted text is not the one that was encrypted")
    step("receiver", "decrypted the text: both hold the same key")

    receipt = "received: 1 message"
    signed = receiver.post("/api/signature/sign", {"data": receipt})
    step("receiver", f"signed a receipt: signature {size(signed['signature'])} bytes")
    for data, genuine in ((receipt, True), (receipt + "s", False)):
        answer = sender.post(
            "/api/signature/verify",
            {"data": data, "pk": signed["pk"], "signature": signed["signature"]},
        )
        check(answer["verified"] is genuine, f"verified is not {genuine} for {data!r}")
        step("sender", f"verified {data!r}: {str(genuine).lower()}")

    body = {"data": receipt, "pk": signed["pk"], "signature": signed["signature"]}
    sender.post("/api/signature/verify", body, expect=401)
    step("sender", "the token's 4 calls are spent: 401")


def main():
    if len(sys.argv) != 3:
        print("usage: sender_receiver.py BASE_URL ROOT_TOKEN_FILE", file=sys.stderr)
        return 2
    try:
        with open(sys.argv[2], encoding="ascii") as file:
            root_token = file.read().strip()
        flow(sys.argv[1], root_token)
    except KeyError as error:
        print(f"sender_receiver: an answer has no field {error}", file=sys.stderr)
        return 1
    except (AttributeError, OSError, TypeError, ValueError, Surprise) as error:
        print(f"sender_receiver: {error}", file=sys.stderr)
        return 1
    print("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
