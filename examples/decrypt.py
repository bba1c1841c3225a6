#!/usr/bin/env python3
"""Decrypts what `pqc encrypt` made, without pqc: written from docs/formats.md alone.

    python3 decrypt.py --identity me.pem [--verify-with sender.pub.pem] photos.tar.pqc > photos.tar
    python3 decrypt.py --passphrase-file words.txt photos.tar.pqc > photos.tar

Needs PyPI `cryptography` 50 or newer. It reads keys in seed form, as `pqc kem keygen` writes them,
and the whole file into memory. It prints nothing until all of it is authentic.
"""

import argparse
import base64
import hashlib
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"pqc/v1/file"
BEGIN, END = b"-----BEGIN PQC ENCRYPTED FILE-----", b"-----END PQC ENCRYPTED FILE-----"
# The kinds of stanzas: name, length of the ciphertext.
KEMS = {1: ("ML-KEM-512", 768), 2: ("ML-KEM-768", 1088), 3: ("ML-KEM-1024", 1568), 4: ("X-Wing", 1120)}
PASSPHRASE = 0x10
SIGNATURE_BYTES = {1: 2420, 2: 3309, 3: 4627}
CHUNK = 65536
# The DER of each algorithm's object identifier, by which a key file names it.
OIDS = {
    "ML-KEM-512": "0609608648016503040401",
    "ML-KEM-768": "0609608648016503040402",
    "ML-KEM-1024": "0609608648016503040403",
    "X-Wing": "060b2b0601040183e62d81c87a",
}


class Refused(Exception):
    """The file is not for this key, or was altered or cut."""


def main():
    args = arguments()
    with open(args.file, "rb") as file:
        envelope = file.read()
    try:
        envelope = unarmored(envelope)
        text = decrypt(envelope, args)
    except Refused as error:
        sys.exit(f"refused: {error}")
    except InvalidTag:
        sys.exit("refused: it was altered or cut, or the passphrase is wrong")
    except InvalidSignature:
        sys.exit("refused: it is not signed by this key, for these recipients")
    sys.stdout.buffer.write(text)


def arguments():
    parser = argparse.ArgumentParser(description="Decrypts what pqc encrypt made.")
    parser.add_argument("--identity", metavar="SECRET.pem")
    parser.add_argument("--passphrase-file", metavar="FILE")
    parser.add_argument("--verify-with", metavar="PUBLIC.pem")
    parser.add_argument("file")
    args = parser.parse_args()
    if not (args.identity or args.passphrase_file):
        parser.error("give --identity or --passphrase-file")
    return args


def unarmored(data):
    if not data.startswith(BEGIN):
        return data
    lines = data.rstrip().split(b"\n")
    if lines[0].rstrip() != BEGIN or lines[-1] != END or any(len(line) > 1023 for line in lines):
        raise Refused("the armor is broken or cut")
    try:
        return base64.b64decode(b"".join(line.rstrip() for line in lines[1:-1]), validate=True)
    except ValueError:
        raise Refused("the armor is broken") from None


def decrypt(envelope, args):
    header, set_of_signature, stanzas = read_header(envelope)
    file_key = unwrap(stanzas, args)
    bound = hashlib.sha256(header).digest() + PURPOSE
    text = open_stream(derive(file_key, b"pqc/v1/envelope/stream"), envelope[len(header) :], bound)
    signature = b""
    if set_of_signature:
        split = len(text) - SIGNATURE_BYTES[set_of_signature]
        if split < 0:
            raise Refused("the signature is missing")
        text, signature = text[:split], text[split:]
    if args.verify_with:
        verify(header, text, signature, args.verify_with)
    return text


def read_header(envelope):
    """The bytes of the header, the signature's parameter set or 0, and each stanza's parts."""
    if envelope[:7] != b"pqc-env" or envelope[7] not in (1, 2):
        raise SystemExit("this is no file of pqc encrypt")
    count, at = envelope[8], 9
    set_of_signature = 0
    if envelope[7] == 2:
        set_of_signature, at = envelope[9], 10
    stanzas = []
    for _ in range(count):
        kind = envelope[at] if at < len(envelope) else None
        if kind != PASSPHRASE and kind not in KEMS:
            raise Refused("it was cut or altered within its header")
        head_bytes = 1 + 28 if kind == PASSPHRASE else 1 + 32 + KEMS[kind][1]
        head = envelope[at : at + head_bytes]
        stanzas.append((kind, head, envelope[at + head_bytes : at + head_bytes + 72]))
        at += head_bytes + 72
    if len(envelope) < at or set_of_signature not in (0, *SIGNATURE_BYTES):
        raise Refused("it was cut or altered within its header")
    return envelope[:at], set_of_signature, stanzas


def unwrap(stanzas, args):
    """The file key, from the stanza that is for us."""
    if not args.identity:
        kind, head, wrapped = stanzas[0]
        if kind != PASSPHRASE:
            raise SystemExit("it is encrypted to keys: give --identity")
        with open(args.passphrase_file, "rb") as file:
            passphrase = file.read().split(b"\n")[0].rstrip(b"\r")
        memory, iterations, lanes = (int.from_bytes(head[i : i + 4], "big") for i in (1, 5, 9))
        hashed = Argon2id(
            salt=head[13:29], length=32, iterations=iterations, lanes=lanes, memory_cost=memory
        ).derive(passphrase)
        info = b"pqc/v1/envelope/passphrase" + hashlib.sha256(head).digest()
        return open_xaes(derive(hashed, info), wrapped)

    algorithm, seed = read_private_key(args.identity)
    decapsulate, public = key_pair(algorithm, seed)
    key_id = hashlib.sha256(algorithm.encode() + public).digest()
    for kind, head, wrapped in stanzas:
        if kind != PASSPHRASE and KEMS[kind][0] == algorithm and head[1:33] == key_id:
            shared = decapsulate(head[33:])
            info = b"pqc/v1/envelope/recipient" + hashlib.sha256(head).digest()
            return open_xaes(derive(shared, info), wrapped)
    raise Refused("it is not for this key")


def read_private_key(path):
    """The algorithm and the seed of a key in PKCS#8, in seed form."""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    der = base64.b64decode(b"".join(line for line in lines if not line.startswith(b"-----")))
    for algorithm, oid in OIDS.items():
        start = der.find(bytes.fromhex(oid))
        if start >= 0:
            # AlgorithmIdentifier, then OCTET STRING; of ML-KEM with [0] seed within.
            behind = der[start + len(oid) // 2 :]
            return algorithm, behind[-32:] if algorithm == "X-Wing" else behind[-64:]
    raise SystemExit(f"{path} is no key that decapsulates, or is encrypted")


def key_pair(algorithm, seed):
    """A function that decapsulates, and the public key."""
    if algorithm == "X-Wing":
        expanded = hashlib.shake_256(seed).digest(96)
        ml_kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x_key = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        x_public = x_key.public_key().public_bytes_raw()

        def decapsulate(ciphertext):
            x_ciphertext = ciphertext[1088:]
            x_shared = x_key.exchange(x25519.X25519PublicKey.from_public_bytes(x_ciphertext))
            shared = ml_kem.decapsulate(ciphertext[:1088])
            return hashlib.sha3_256(shared + x_shared + x_ciphertext + x_public + X_WING).digest()

        return decapsulate, ml_kem.public_key().public_bytes_raw() + x_public
    of_name = {"ML-KEM-768": "MLKEM768PrivateKey", "ML-KEM-1024": "MLKEM1024PrivateKey"}
    if algorithm not in of_name:
        raise SystemExit(f"PyPI cryptography has no {algorithm}")
    key = getattr(mlkem, of_name[algorithm]).from_seed_bytes(seed)
    return key.decapsulate, key.public_key().public_bytes_raw()


# draft-connolly-cfrg-xwing-kem, XWingLabel: \./ above /^\
X_WING = bytes.fromhex("5c2e2f2f5e5c")


def verify(header, text, signature, path):
    if not signature:
        raise Refused("it is not signed")
    with open(path, "rb") as file:
        key = serialization.load_pem_public_key(file.read())
    message = hashlib.sha256(header).digest() + hashlib.sha256(PURPOSE).digest() + text
    key.verify(signature, message, context=b"pqc/v1/envelope/signature")


def open_stream(stream_key, stream, data):
    header, rest = stream[:82], stream[82:]
    if len(header) < 82 or header[:2] != b"\x01\x02":
        raise Refused("it was cut")
    salt, commitment = header[18:50], header[50:82]
    bound = header[:18] + hashlib.sha256(data).digest()
    if derive(stream_key, b"pqc/v1/stream/commitment" + bound, salt) != commitment:
        raise Refused("it was altered, or is something else that pqc encrypted")
    cipher = AESGCM(derive(stream_key, b"pqc/v1/stream/chunks" + bound, salt))
    sealed = [rest[at : at + CHUNK + 16] for at in range(0, len(rest), CHUNK + 16)] or [b""]
    texts = []
    for index, chunk in enumerate(sealed):
        is_last = index == len(sealed) - 1
        text = cipher.decrypt(index.to_bytes(11, "big") + bytes([is_last]), chunk, None)
        if not text and index:
            raise Refused("an empty chunk stands at its end")
        texts.append(text)
    return b"".join(texts)


def open_xaes(key, wrapped):
    """XAES-256-GCM (C2SP): AES-256-GCM under a key that is derived for the nonce."""
    nonce, sealed = wrapped[:24], wrapped[24:]
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    block = int.from_bytes(aes.update(bytes(16)), "big")
    # The subkey of CMAC: doubling in GF(2^128).
    doubled = (block << 1) & (2**128 - 1) ^ (0x87 if block >> 127 else 0)
    derived = b"".join(
        aes.update((int.from_bytes(bytes([0, n, 0x58, 0]) + nonce[:12], "big") ^ doubled).to_bytes(16, "big"))
        for n in (1, 2)
    )
    return AESGCM(derived).decrypt(nonce[12:], sealed, None)


def derive(key, info, salt=None):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


if __name__ == "__main__":
    main()
