"""Opens what pqc-core makes, and makes what it opens, as docs/formats.md says and by nothing else:
attestations, message boxes, streams, envelopes, sealed records, master keys of passphrases and kept
answers, by PyPI cryptography (OpenSSL).

Reads one JSON object from standard input and writes one to standard output; bytes are hex. Exit
status 77: cryptography is missing or too old, and nothing was checked. Run by
tests/core/formats_interop.rs and envelope_signed.rs, each of which asks for some formats.
"""

import base64
import hashlib
import json
import os
import sys

try:
    import cryptography
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives import ciphers, hashes
    from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem, x25519
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
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
SIGNATURES = {"ML-DSA-44": (1, 2420), "ML-DSA-65": (2, 3309), "ML-DSA-87": (3, 4627)}
CHUNK = 65536


def main():
    request = json.load(sys.stdin, object_hook=decode)
    each = lambda format, answered: [answered(ours) for ours in request.get(format, [])]
    answer = {
        "version": cryptography.__version__,
        "attestations": each("attestations", attestation),
        "boxes": each("boxes", lambda ours: box(ours, request["key"])),
        "streams": each("streams", lambda ours: stream(ours, request["key"])),
        "envelopes": each("envelopes", envelope),
        "signed_envelopes": each("signed_envelopes", signed_envelope),
        "records": each("records", lambda ours: record(ours, request["master"])),
        "passphrases": each("passphrases", passphrase),
        "answers": each("answers", kept_answer),
    }
    json.dump(answer, sys.stdout, default=bytes.hex)


def decode(parts):
    """Names are text, numbers are numbers, and all else is bytes in hex."""
    names = ("issuer_algorithm", "signer_algorithm", "algorithm", "kind", "parameters")
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
    stream_key = hkdf(key, b"pqc/v1/stream/caller")
    assert stream_open(stream_key, sealed, ours["data"]) == text
    chunks = [sealed[at : at + CHUNK + 16] for at in range(82, len(sealed), CHUNK + 16)]
    altered = [chunks[:-1] + [chunks[-1][:-1]], [flipped(chunks[0])] + chunks[1:], chunks + chunks[-1:]]
    if len(chunks) > 1:
        altered += [chunks[:-1], chunks[::-1], chunks[1:]]
    for each in altered:
        refuses(InvalidTag, stream_open, stream_key, sealed[:82] + b"".join(each), ours["data"])
    return stream_seal(stream_key, text, ours["data"])


def stream_open(stream_key, sealed, data):
    head, salt, commitment = sealed[:18], sealed[18:50], sealed[50:82]
    assert head == bytes([1, 2]) + bytes(16)
    chunk_key, expected = stream_keys(stream_key, head, salt, data)
    if commitment != expected:
        raise InvalidTag
    chunks = [sealed[at : at + CHUNK + 16] for at in range(82, len(sealed), CHUNK + 16)]
    return b"".join(open_chunks(chunk_key, chunks))


def stream_seal(stream_key, text, data):
    head, salt = bytes([1, 2]) + bytes(16), os.urandom(32)
    chunk_key, commitment = stream_keys(stream_key, head, salt, data)
    starts = range(0, max(len(text), 1), CHUNK)
    pieces = [text[start : start + CHUNK] for start in starts]
    made = [
        AESGCM(chunk_key).encrypt(stream_nonce(index, index == len(pieces) - 1), piece, None)
        for index, piece in enumerate(pieces)
    ]
    return head + salt + commitment + b"".join(made)


def stream_keys(stream_key, head, salt, data):
    purposes = [b"pqc/v1/stream/chunks", b"pqc/v1/stream/commitment"]
    return [hkdf(stream_key, each + head + hashlib.sha256(data).digest(), salt) for each in purposes]


def open_chunks(chunk_key, chunks):
    for index, chunk in enumerate(chunks):
        yield AESGCM(chunk_key).decrypt(stream_nonce(index, index == len(chunks) - 1), chunk, None)


def stream_nonce(index, is_last):
    return index.to_bytes(11) + bytes([is_last])


KEMS = {
    1: ("ML-KEM-512", 768, None, None),
    2: ("ML-KEM-768", 1088, mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey),
    3: ("ML-KEM-1024", 1568, mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey),
    4: ("X-Wing", 1120, mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey),
}


def envelope(ours):
    """Opens ours by the key of `seed` or by the passphrase; seals the same text for the same."""
    sealed, text, data = ours["envelope"], ours["text"], ours["data"]
    assert envelope_open(ours, sealed, data) == text
    header, _ = envelope_split(sealed)
    for altered in [flipped(sealed[: len(header)]) + sealed[len(header) :], sealed[:-1], sealed + b"x"]:
        refuses(InvalidTag, envelope_open, ours, altered, data)
    refuses(InvalidTag, envelope_open, ours, sealed, b"")
    return envelope_seal(ours, b"pqc-env\x01\x01", lambda header: text)


def signed_envelope(ours):
    """Opens and verifies ours; seals the same text, signed by a key of its own, and by none of ours."""
    set_name, data = ours["signer_algorithm"], ours["data"]
    set_code, signature_bytes = SIGNATURES[set_name]
    signer = PUBLIC_KEYS[set_name].from_public_bytes(ours["signer"])
    start, context = b"pqc-env\x02\x01" + bytes([set_code]), b"pqc/v1/envelope/signature"
    signed = lambda header, text: hashlib.sha256(header).digest() + hashlib.sha256(data).digest() + text

    header, _ = envelope_split(ours["envelope"])
    assert header.startswith(start)
    opened = envelope_open(ours, ours["envelope"], data)
    text, signature = opened[:-signature_bytes], opened[-signature_bytes:]
    assert text == ours["text"]
    signer.verify(signature, signed(header, text), context)
    refuses(InvalidSignature, signer.verify, signature, signed(flipped(header), text), context)
    refuses(InvalidSignature, signer.verify, signature, signed(header, text), b"")

    theirs = PRIVATE_KEYS[set_name].generate()
    by_us = lambda header: text + theirs.sign(signed(header, text), context)
    return {
        "signer": theirs.public_key().public_bytes_raw(),
        "envelope": envelope_seal(ours, start, by_us),
        "without_header": envelope_seal(ours, start, lambda _: by_us(b"")),
        "without_signature": envelope_seal(ours, start, lambda _: text),
    }


def envelope_seal(ours, start, text_of):
    """For who `ours` is for; the text may say something of the header."""
    data = ours["data"]
    file_key = os.urandom(32)
    if "seed" in ours:
        kind, public = key_pair(ours)
        shared, ciphertext = encapsulate(kind, public)
        head = bytes([kind]) + key_id(kind, public) + ciphertext
        wrapping_key = hkdf(shared, b"pqc/v1/envelope/recipient" + hashlib.sha256(head).digest())
    else:
        costs = (20000, 2, 3)
        salt = os.urandom(16)
        head = bytes([0x10]) + b"".join(cost.to_bytes(4) for cost in costs) + salt
        wrapping_key = by_passphrase(ours["passphrase"], costs, salt, head)
    header = start + head + xaes_seal(wrapping_key, file_key, b"")
    stream_data = hashlib.sha256(header).digest() + data
    return header + stream_seal(hkdf(file_key, b"pqc/v1/envelope/stream"), text_of(header), stream_data)


def envelope_open(ours, sealed, data):
    header, stanzas = envelope_split(sealed)
    for head, wrapped in stanzas:
        if "seed" in ours:
            kind, public = key_pair(ours)
            if head[:33] != bytes([kind]) + key_id(kind, public):
                continue
            shared = decapsulate(kind, ours["seed"], public, head[33:])
            wrapping_key = hkdf(shared, b"pqc/v1/envelope/recipient" + hashlib.sha256(head).digest())
        else:
            assert head[0] == 0x10 and len(stanzas) == 1
            costs = [int.from_bytes(head[at : at + 4]) for at in (1, 5, 9)]
            wrapping_key = by_passphrase(ours["passphrase"], costs, head[13:], head)
        file_key = xaes_open(wrapping_key, wrapped, b"")
        stream_data = hashlib.sha256(header).digest() + data
        return stream_open(hkdf(file_key, b"pqc/v1/envelope/stream"), sealed[len(header) :], stream_data)
    raise AssertionError("no stanza is for this key")


def envelope_split(sealed):
    """The header, and of each stanza head and wrapped key."""
    assert sealed[:7] == b"pqc-env" and sealed[7] in (1, 2) and 1 <= sealed[8] <= 64
    stanzas, at = [], 9 if sealed[7] == 1 else 10
    for _ in range(sealed[8]):
        head_bytes = 29 if sealed[at] == 0x10 else 33 + KEMS[sealed[at]][1]
        stanza, at = sealed[at : at + head_bytes + 72], at + head_bytes + 72
        stanzas.append((stanza[:head_bytes], stanza[head_bytes:]))
    return sealed[:at], stanzas


def by_passphrase(passphrase, costs, salt, head):
    hashed = argon2id(passphrase, costs, salt)
    return hkdf(hashed, b"pqc/v1/envelope/passphrase" + hashlib.sha256(head).digest())


def key_id(kind, public):
    return hashlib.sha256(KEMS[kind][0].encode() + public).digest()


def key_pair(ours):
    """The kind of the stanza, and the public key."""
    kind = next(kind for kind, kem in KEMS.items() if kem[0] == ours["algorithm"])
    if kind != 4:
        return kind, KEMS[kind][2].from_seed_bytes(ours["seed"]).public_key().public_bytes_raw()
    ml_kem, x = x_wing(ours["seed"])
    return kind, ml_kem.public_key().public_bytes_raw() + x.public_key().public_bytes_raw()


def decapsulate(kind, seed, public, ciphertext):
    if kind != 4:
        return KEMS[kind][2].from_seed_bytes(seed).decapsulate(ciphertext)
    ml_kem, x = x_wing(seed)
    theirs = x25519.X25519PublicKey.from_public_bytes(ciphertext[1088:])
    return combined(ml_kem.decapsulate(ciphertext[:1088]), x.exchange(theirs), ciphertext, public)


def encapsulate(kind, public):
    if kind != 4:
        return KEMS[kind][3].from_public_bytes(public).encapsulate()
    shared, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral = x25519.X25519PrivateKey.generate()
    ciphertext += ephemeral.public_key().public_bytes_raw()
    theirs = x25519.X25519PublicKey.from_public_bytes(public[1184:])
    return combined(shared, ephemeral.exchange(theirs), ciphertext, public), ciphertext


def x_wing(seed):
    """draft-connolly-cfrg-xwing-kem: both private keys."""
    expanded = hashlib.shake_256(seed).digest(96)
    ml_kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    return ml_kem, x25519.X25519PrivateKey.from_private_bytes(expanded[64:])


def combined(ml_kem, x, ciphertext, public):
    return hashlib.sha3_256(ml_kem + x + ciphertext[1088:] + public[1184:] + b"\\.//^\\").digest()


def passphrase(ours):
    """Opens a master key's check value by the passphrase, and makes one."""
    _, algorithm, version, costs, salt = ours["parameters"].split("$")
    assert (algorithm, version) == ("argon2id", "v=19")
    names, costs = zip(*(cost.split("=") for cost in costs.split(",")))
    assert names == ("m", "t", "p")
    salt = base64.b64decode(salt + "==", validate=True)
    hashed = argon2id(ours["passphrase"], [int(cost) for cost in costs], salt)
    return record(ours, hkdf(hashed, b"pqc/v1/passphrase/master-key"))


def argon2id(passphrase, costs, salt):
    memory, iterations, lanes = costs
    kdf = Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory)
    return kdf.derive(passphrase)


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


def kept_answer(ours):
    """Finds ours by the token and the idempotency key, and opens it; keeps the same answer."""
    token = ours["token"].decode()
    random = base64.urlsafe_b64decode(token[6:] + "=")
    named = token[:6].encode() + hashlib.sha256(ours["idempotency_key"]).digest()
    derive = lambda purpose: hkdf(random, b"pqc/v1/replay/" + purpose + named)
    digest = hashlib.sha256()
    for part in (ours["called"], ours["query"], ours["body"]):
        digest.update(len(part).to_bytes(8) + part)
    request = hkdf(derive(b"request"), digest.digest())
    assert (derive(b"id"), request) == (ours["id"], ours["request"])
    key, head = derive(b"answer"), bytes([1, 1])
    data = head + derive(b"id") + request
    assert ours["kept"][:2] == head
    assert xaes_open(key, ours["kept"][2:], data) == ours["answer"]
    refuses(InvalidTag, xaes_open, key, ours["kept"][2:], flipped(data))
    return head + xaes_seal(key, ours["answer"], data)


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
