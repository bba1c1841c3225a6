"""Opens key files of pqc-core and writes some for it, by PyPI cryptography (OpenSSL).

Reads one JSON object from standard input and writes one to standard output; bytes are hex. Exit
status 77: cryptography is missing or too old, and nothing was checked. Run by
tests/core/key_files/interop.rs.
"""

import base64
import hashlib
import json
import os
import sys

try:
    import cryptography
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import ciphers, serialization as files
    from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem

    assert int(cryptography.__version__.split(".")[0]) >= 50, cryptography.__version__
except (ImportError, AssertionError) as error:
    print(f"PyPI cryptography 50 or newer: {error!r}", file=sys.stderr)
    sys.exit(77)

PRIVATE_KEYS = {
    "ML-KEM-768": mlkem.MLKEM768PrivateKey,
    "ML-KEM-1024": mlkem.MLKEM1024PrivateKey,
    "ML-DSA-44": mldsa.MLDSA44PrivateKey,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey,
}
PUBLIC_KEYS = {
    "ML-KEM-768": mlkem.MLKEM768PublicKey,
    "ML-KEM-1024": mlkem.MLKEM1024PublicKey,
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}
ENCODINGS = {"pem": files.Encoding.PEM, "der": files.Encoding.DER}
SPKI = files.PublicFormat.SubjectPublicKeyInfo
PKCS8 = files.PrivateFormat.PKCS8


def main():
    request = json.load(sys.stdin)
    passphrase = bytes.fromhex(request["passphrase"])
    message = bytes.fromhex(request["message"])
    context = bytes.fromhex(request["context"])
    # It has no JWK: these are read and written here, and the keys made of their raw bytes.
    lacks = ["JWK (read by the script)", "HashML-DSA (by the script, over its external mu)"]
    answer = {"version": cryptography.__version__, "keys": {}, "unsupported": [], "lacks": lacks}
    for name, ours in request["keys"].items():
        if name in PRIVATE_KEYS:
            ours = {part: bytes.fromhex(text) for part, text in ours.items()}
            answer["keys"][name] = exchange(name, ours, passphrase, message, context)
        else:
            expect(UnsupportedAlgorithm, files.load_pem_private_key, ours["private_pem"], None)
            answer["unsupported"].append(name)
    json.dump(answer, sys.stdout, default=bytes.hex)


def exchange(name, ours, passphrase, message, context):
    """Opens every file of ours and uses the keys; writes the same of a key of its own."""
    private = [
        files.load_pem_private_key(ours["private_pem"], None),
        files.load_der_private_key(ours["private_der"], None),
        files.load_pem_private_key(ours["encrypted_pem"], passphrase),
        files.load_der_private_key(ours["encrypted_der"], passphrase),
        from_private_jwk(name, json.loads(ours["private_jwk"])),
    ]
    public = [
        PUBLIC_KEYS[name].from_public_bytes(ours["public_raw"]),
        PUBLIC_KEYS[name].from_public_bytes(from_jwk(name, json.loads(ours["public_jwk"]), "pub")),
        files.load_pem_public_key(ours["public_pem"]),
        files.load_der_public_key(ours["public_der"]),
    ]
    assert {type(key) for key in private} == {type(PRIVATE_KEYS[name].generate())}
    assert all(key.public_key() == each for key in private for each in public)
    assert private[0].private_bytes(ENCODINGS["pem"], PKCS8, files.NoEncryption()) == ours["private_pem"]
    assert public[0].public_bytes(ENCODINGS["pem"], SPKI) == ours["public_pem"]
    expect(ValueError, files.load_pem_private_key, ours["encrypted_pem"], b"wrong")

    theirs = PRIVATE_KEYS[name].generate()
    answer = write(name, theirs, passphrase)
    if name.startswith("ML-KEM"):
        answer["opened"] = private[2].decapsulate(ours["ciphertext"])
        answer["rejected"] = private[2].decapsulate(flipped(ours["ciphertext"]))
        answer["opened_by_wrong_key"] = theirs.decapsulate(ours["ciphertext"])
        answer["secret_to_ours"], answer["ciphertext_to_ours"] = public[0].encapsulate()
        answer["secret"], answer["ciphertext"] = theirs.public_key().encapsulate()
    else:
        verify_signatures(public[0], theirs.public_key(), ours, message, context)
        answer["signature_by_ours"] = private[2].sign(message, context)
        answer["signature"] = theirs.sign(message, context)
        answer["mu"] = mu_of(theirs.public_key(), message, context)
        answer["mu_signature"] = theirs.sign_mu(answer["mu"])
        answer["prehash_signature"] = theirs.sign_mu(prehash_mu(theirs.public_key(), message, context))
    return answer


def verify_signatures(key, other_key, ours, message, context):
    signature = ours["signature"]
    key.verify(signature, message, context)
    refuses(key.verify, flipped(signature), message, context)
    refuses(key.verify, signature[1:], message, context)
    refuses(key.verify, signature, flipped(message), context)
    refuses(key.verify, signature, message, flipped(context))
    refuses(other_key.verify, signature, message, context)

    mu = mu_of(key, message, context)
    assert mu == ours["mu"]
    key.verify_mu(ours["mu_signature"], mu)
    refuses(key.verify_mu, flipped(ours["mu_signature"]), mu)
    refuses(other_key.verify_mu, ours["mu_signature"], mu)

    mu = prehash_mu(key, message, context)
    key.verify_mu(ours["prehash_signature"], mu)
    refuses(key.verify_mu, flipped(ours["prehash_signature"]), mu)
    # Of another domain than a pure signature.
    refuses(key.verify, ours["prehash_signature"], message, context)


def mu_of(key, message, context):
    hasher = mldsa.MLDSAMuHasher(key, context)
    hasher.update(message[:7])
    hasher.update(message[7:])
    return hasher.finalize()


def prehash_mu(key, message, context):
    """FIPS 204, Algorithm 4, for SHA-512, and line 6 of Algorithm 7."""
    oid = element(6, bytes.fromhex("608648016503040203"))
    framed = bytes([1, len(context)]) + context + oid + hashlib.sha512(message).digest()
    tr = hashlib.shake_256(key.public_bytes_raw()).digest(64)
    return hashlib.shake_256(tr + framed).digest(64)


def from_jwk(name, jwk, member):
    assert (jwk["kty"], jwk["alg"]) == ("AKP", name)
    return base64.urlsafe_b64decode(jwk[member] + "=" * (-len(jwk[member]) % 4))


def from_private_jwk(name, jwk):
    key = PRIVATE_KEYS[name].from_seed_bytes(from_jwk(name, jwk, "priv"))
    assert key.public_key().public_bytes_raw() == from_jwk(name, jwk, "pub")
    return key


def to_jwk(name, **members):
    text = {member: base64.urlsafe_b64encode(raw).rstrip(b"=").decode() for member, raw in members.items()}
    return json.dumps({"kty": "AKP", "alg": name, **text}).encode()


def write(name, key, passphrase):
    raw = key.public_key().public_bytes_raw()
    answer = {"public_raw": raw, "public_jwk": to_jwk(name, pub=raw)}
    answer["private_jwk"] = to_jwk(name, pub=raw, priv=key.private_bytes_raw())
    encrypted = files.BestAvailableEncryption(passphrase)
    for name, encoding in ENCODINGS.items():
        answer[f"private_{name}"] = key.private_bytes(encoding, PKCS8, files.NoEncryption())
        answer[f"encrypted_{name}"] = key.private_bytes(encoding, PKCS8, encrypted)
        answer[f"public_{name}"] = key.public_key().public_bytes(encoding, SPKI)
    answer["scrypt_der"] = by_scrypt(answer["private_der"], passphrase)
    assert files.load_der_private_key(answer["scrypt_der"], passphrase) is not None
    return answer


def by_scrypt(der, passphrase):
    """What `openssl pkcs8 -topk8 -scrypt` writes; cryptography only reads it."""
    salt, iv = os.urandom(16), os.urandom(16)
    key = hashlib.scrypt(passphrase, salt=salt, n=16384, r=8, p=1, dklen=32)
    padding = 16 - len(der) % 16
    cipher = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.CBC(iv)).encryptor()
    ciphertext = cipher.update(der + bytes([padding] * padding)) + cipher.finalize()
    costs = element(2, (16384).to_bytes(2)) + element(2, b"\x08") + element(2, b"\x01")
    kdf = algorithm("2b06010401da47040b", element(0x30, element(4, salt) + costs))
    scheme = algorithm("60864801650304012a", element(4, iv))
    pbes2 = algorithm("2a864886f70d01050d", element(0x30, kdf + scheme))
    return element(0x30, pbes2 + element(4, ciphertext))


def algorithm(oid, parameters):
    return element(0x30, element(6, bytes.fromhex(oid)) + parameters)


def element(tag, content):
    length = len(content)
    head = [length] if length < 128 else [0x81, length] if length < 256 else [0x82, *length.to_bytes(2)]
    return bytes([tag, *head]) + content


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def refuses(verify, *arguments):
    try:
        verify(*arguments)
    except InvalidSignature:
        return
    raise AssertionError(f"{verify.__name__} took what was altered")


def expect(error, function, data, passphrase):
    try:
        function(data if isinstance(data, bytes) else bytes.fromhex(data), passphrase)
    except error:
        return
    raise AssertionError(f"{function.__name__} raised no {error.__name__}")


main()
