"""Opens what pqc-core makes, and makes what it opens, as docs/formats.md says and by nothing else:
attestations, message boxes, streams and sealed records, by PyPI cryptography (OpenSSL).

Reads one JSON object from standard input and writes one to standard output; bytes are hex. Exit
status 77: cryptography is missing or too old, and nothing was checked. Run by
tests/core/formats_interop.rs.
"""

import hashlib
import json
import os
import sys

try:
    import cryptography
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives import ciphers, hashes
    from cryptography.hazmat.primitives.asymmetric import mldsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    assert int(cryptography.__version__.split(".")[0]) >= 50, cryptography.__version__
except (ImportError, AssertionError) as error:
    print(f"PyPI cryptography 50 or newer: {error!r}", file=sys.stderr)
    sys.exit(77)

PUBLIC_KEYS = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}
PRIVATE_KEYS = {
    "ML-DSA-44": mldsa.MLDSA44PrivateKey,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey,
}
CHUNK = 65536


def main():
    request = json.load(sys.stdin, object_hook=decode)
    answer = {
        "version": cryptography.__version__,
        "attestations": [attestation(each) for each in request["attestations"]],
        "boxes": [box(each, request["key"]) for each in request["boxes"]],
        "streams": [stream(each, request["key"]) for each in request["streams"]],
        "records": [record(each, request["master"]) for each in request["records"]],
    }
    json.dump(answer, sys.stdout, default=bytes.hex)


def decode(parts):
    """Names are text, numbers are numbers, and all else is bytes in hex."""
    names = ("issuer_algorithm", "algorithm", "kind")
    return {
        name: bytes.fromhex(value) if isinstance(value, str) and name not in names else value
        for name, value in parts.items()
    }


def attestation(ours):
    """Verifies ours and refuses what was altered; issues the same statement by a key of its own."""
    context = b"pqc/v1/attestation"
    head = head_of(ours["account"], ours["issued_at"], ours["expires_at"])
    assert ours["attestation"][:33] == head
    signature = ours["attestation"][33:]
    signed = statement(head, ours["algorithm"], ours["key"])
    issuer = PUBLIC_KEYS[ours["issuer_algorithm"]].from_public_bytes(ours["issuer"])
    issuer.verify(signature, signed, context)
    for altered in [
        statement(head_of(flipped(ours["account"]), ours["issued_at"], ours["expires_at"]), ours["algorithm"], ours["key"]),
        statement(head_of(ours["account"], ours["issued_at"] + 1, ours["expires_at"]), ours["algorithm"], ours["key"]),
        statement(head_of(ours["account"], ours["issued_at"], ours["expires_at"] + 1), ours["algorithm"], ours["key"]),
        statement(head, ours["algorithm"].lower(), ours["key"]),
        statement(head, ours["algorithm"], flipped(ours["key"])),
        head + ours["algorithm"].encode() + ours["key"],
    ]:
        refuses(InvalidSignature, issuer.verify, signature, altered, context)
    refuses(InvalidSignature, issuer.verify, flipped(signature), signed, context)
    refuses(InvalidSignature, issuer.verify, signature, signed, b"")

    theirs = PRIVATE_KEYS[ours["issuer_algorithm"]].generate()
    return {
        "issuer": theirs.public_key().public_bytes_raw(),
        "attestation": head + theirs.sign(signed, context),
        "without_context": head + theirs.sign(signed),
        "without_name": head + theirs.sign(head + ours["key"], context),
    }


def head_of(account, issued_at, expires_at):
    return b"\x01" + account + issued_at.to_bytes(8) + expires_at.to_bytes(8)


def statement(head, algorithm, key):
    name = algorithm.encode()
    return head + bytes([len(name)]) + name + len(key).to_bytes(4) + key


def box(ours, key):
    box_key = hkdf(key, b"pqc/v1/box/caller")
    head = bytes([1, 1]) + bytes(16)
    sealed = ours["box"]
    assert sealed[:18] == head
    full_data = head + ours["data"]
    assert xaes_open(box_key, sealed[18:], full_data) == ours["text"]
    refuses(InvalidTag, xaes_open, box_key, flipped(sealed[18:]), full_data)
    refuses(InvalidTag, xaes_open, box_key, sealed[18:], ours["data"])
    return head + xaes_seal(box_key, ours["text"], full_data)


def stream(ours, key):
    """Opens ours, and seals the same text; both chunk by chunk."""
    sealed, text = ours["stream"], bytes(i % 251 for i in range(ours["text_bytes"]))
    head, salt, commitment = sealed[:18], sealed[18:50], sealed[50:82]
    assert head == bytes([1, 2]) + bytes(16)
    chunk_key, expected = stream_keys(key, head, salt, ours["data"])
    assert commitment == expected
    chunks = [sealed[at : at + CHUNK + 16] for at in range(82, len(sealed), CHUNK + 16)]
    assert b"".join(open_chunks(chunk_key, chunks)) == text
    for altered in [chunks[:-1] + [chunks[-1][:-1]], [flipped(chunks[0])] + chunks[1:], chunks + chunks[-1:]]:
        refuses(InvalidTag, lambda: b"".join(open_chunks(chunk_key, altered)))
    if len(chunks) > 1:
        for altered in [chunks[:-1], chunks[::-1], chunks[1:]]:
            refuses(InvalidTag, lambda: b"".join(open_chunks(chunk_key, altered)))

    salt = os.urandom(32)
    chunk_key, commitment = stream_keys(key, head, salt, ours["data"])
    starts = range(0, max(len(text), 1), CHUNK)
    pieces = [text[start : start + CHUNK] for start in starts]
    made = [
        AESGCM(chunk_key).encrypt(stream_nonce(index, index == len(pieces) - 1), piece, None)
        for index, piece in enumerate(pieces)
    ]
    return head + salt + commitment + b"".join(made)


def stream_keys(key, head, salt, data):
    stream_key = hkdf(key, b"pqc/v1/stream/caller")
    purposes = [b"pqc/v1/stream/chunks", b"pqc/v1/stream/commitment"]
    return [hkdf(stream_key, each + head + hashlib.sha256(data).digest(), salt) for each in purposes]


def open_chunks(chunk_key, chunks):
    for index, chunk in enumerate(chunks):
        yield AESGCM(chunk_key).decrypt(stream_nonce(index, index == len(chunks) - 1), chunk, None)


def stream_nonce(index, is_last):
    return index.to_bytes(11) + bytes([is_last])


def record(ours, master):
    version, kind = ours["master_version"].to_bytes(4), ours["kind"].encode()
    head = bytes([1, 1]) + version
    sealed = ours["record"]
    assert sealed[:6] == head
    record_key = hkdf(master, b"pqc/v1/seal/" + kind + version)
    parts = [head[:2], ours["algorithm"].encode(), ours["account"], kind, ours["record_id"], version]
    data = b"".join(len(part).to_bytes(8) + part for part in parts)
    assert xaes_open(record_key, sealed[6:], data) == ours["secret"]
    refuses(InvalidTag, xaes_open, record_key, sealed[6:], flipped(data))
    return head + xaes_seal(record_key, ours["secret"], data)


def xaes_seal(key, text, data):
    nonce = os.urandom(24)
    return nonce + AESGCM(xaes_key(key, nonce)).encrypt(nonce[12:], text, data)


def xaes_open(key, sealed, data):
    nonce, ciphertext = sealed[:24], sealed[24:]
    return AESGCM(xaes_key(key, nonce)).decrypt(nonce[12:], ciphertext, data)


def xaes_key(key, nonce):
    """https://c2sp.org/XAES-256-GCM: the key of this nonce, by CMAC."""
    aes = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.ECB()).encryptor()
    zero = int.from_bytes(aes.update(bytes(16)))
    mask = (zero << 1) % (1 << 128) ^ (0x87 if zero >> 127 else 0)
    blocks = [bytes([0, counter]) + b"X\0" + nonce[:12] for counter in (1, 2)]
    return b"".join(aes.update((int.from_bytes(block) ^ mask).to_bytes(16)) for block in blocks)


def hkdf(key, info, salt=None):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def refuses(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return
    raise AssertionError(f"{function.__name__} took what was altered")


main()
