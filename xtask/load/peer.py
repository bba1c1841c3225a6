"""What `cargo xtask load` holds the server against: the same calls, written as one would in Python.

FastAPI on uvicorn (uvloop, httptools), ML-KEM-768, ML-DSA-65 and AES-256-GCM of `cryptography`, so of
OpenSSL. Keys are in memory; there are no tokens, store, audit or limits. Usage: peer.py PORT WORKERS.
Every worker has the same keys, made from seeds that the first process hands on.
"""

import contextlib
import ctypes
import os
import secrets
import signal
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
    MLDSA87PrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

SEEDS = "PEER_SEEDS"
seeds = bytes.fromhex(os.environ.setdefault(SEEDS, secrets.token_hex(192)))
issuer = MLDSA65PrivateKey.from_seed_bytes(seeds[:32])
issuer_hex = issuer.public_key().public_bytes_raw().hex()
signing = MLDSA65PrivateKey.from_seed_bytes(seeds[32:64])
signing_hex = signing.public_key().public_bytes_raw().hex()
large = MLDSA87PrivateKey.from_seed_bytes(seeds[64:96])
account_key = seeds[96:128]
shared = MLKEM768PrivateKey.from_seed_bytes(seeds[128:192])
CONTEXT = b"pqc/v1/attestation"

pairs = {shared.public_key().public_bytes_raw(): shared}


@contextlib.asynccontextmanager
async def listening(_):
    # A worker ends with whoever started it, however that ends (PR_SET_PDEATHSIG).
    if os.environ.get("PEER_WORKERS") != "1":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    print(f"listening on http://127.0.0.1:{os.environ['PEER_PORT']}", flush=True)
    yield


app = FastAPI(lifespan=listening)


class GenerateKeys(BaseModel):
    shared: bool = False


class EncapsulateKey(BaseModel):
    pk: str
    signature: str
    verif_key: str


class DecapsulateKey(BaseModel):
    cipher: str
    pk: str


class EncryptText(BaseModel):
    unencrypted: str
    key: str | None = None


class DecryptText(BaseModel):
    ciphertext: str
    key: str | None = None


class Sign(BaseModel):
    data: str
    algorithm: str = "ML-DSA-65"


class Verify(BaseModel):
    data: str
    pk: str
    signature: str


class Encapsulate(BaseModel):
    encapsulation_key: str


class Decapsulate(BaseModel):
    decapsulation_key: str
    ciphertext: str


@app.post("/api/kem/generate_keys")
async def generate_keys(asked: GenerateKeys | None = None):
    pair = shared if asked and asked.shared else MLKEM768PrivateKey.generate()
    pk = pair.public_key().public_bytes_raw()
    if len(pairs) < 1_000_000:
        pairs[pk] = pair
    return {
        "pk": pk.hex(),
        "verification_key": issuer_hex,
        "verification_signature": issuer.sign(pk, CONTEXT).hex(),
    }


@app.post("/api/kem/encapsulate_key")
async def encapsulate_key(asked: EncapsulateKey):
    pk = bytes.fromhex(asked.pk)
    if asked.verif_key != issuer_hex:
        raise HTTPException(403)
    try:
        key = MLDSA65PublicKey.from_public_bytes(bytes.fromhex(asked.verif_key))
        key.verify(bytes.fromhex(asked.signature), pk, CONTEXT)
    except InvalidSignature:
        raise HTTPException(422) from None
    secret, cipher = MLKEM768PublicKey.from_public_bytes(pk).encapsulate()
    return {"cipher": cipher.hex(), "shared_key": secret.hex()}


@app.post("/api/kem/decapsulate_key")
async def decapsulate_key(asked: DecapsulateKey):
    pair = pairs.get(bytes.fromhex(asked.pk))
    if pair is None:
        raise HTTPException(404)
    return {"shared_key": pair.decapsulate(bytes.fromhex(asked.cipher)).hex()}


def box(key, info):
    return AESGCM(HKDF(hashes.SHA256(), 32, None, info).derive(key))


account_box = box(account_key, b"account")


@app.post("/api/aes/encrypt_text")
async def encrypt_text(asked: EncryptText):
    aes = box(bytes.fromhex(asked.key), b"caller") if asked.key else account_box
    nonce = os.urandom(12)
    return (nonce + aes.encrypt(nonce, asked.unencrypted.encode(), b"")).hex()


@app.post("/api/aes/decrypt_text")
async def decrypt_text(asked: DecryptText):
    aes = box(bytes.fromhex(asked.key), b"caller") if asked.key else account_box
    sealed = bytes.fromhex(asked.ciphertext)
    return aes.decrypt(sealed[:12], sealed[12:], b"").decode()


@app.post("/api/signature/sign")
async def sign(asked: Sign):
    key = large if asked.algorithm == "ML-DSA-87" else signing
    return {"signature": key.sign(asked.data.encode()).hex(), "pk": signing_hex}


@app.post("/api/signature/verify")
async def verify(asked: Verify):
    key = MLDSA65PublicKey.from_public_bytes(bytes.fromhex(asked.pk))
    try:
        key.verify(bytes.fromhex(asked.signature), asked.data.encode())
    except InvalidSignature:
        return {"verified": False}
    return {"verified": True}


@app.post("/api/v1/pqc/kem/generate-keys/")
async def generate_client_keys():
    pair = MLKEM768PrivateKey.generate()
    return {
        "algorithm": "ML-KEM-768",
        "encapsulation_key": pair.public_key().public_bytes_raw().hex(),
        "decapsulation_key": pair.private_bytes_raw().hex(),
    }


@app.post("/api/v1/pqc/kem/encapsulate/")
async def encapsulate(asked: Encapsulate):
    key = MLKEM768PublicKey.from_public_bytes(bytes.fromhex(asked.encapsulation_key))
    secret, cipher = key.encapsulate()
    return {"ciphertext": cipher.hex(), "shared_secret": secret.hex()}


@app.post("/api/v1/pqc/kem/decapsulate/")
async def decapsulate(asked: Decapsulate):
    key = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(asked.decapsulation_key))
    return {"shared_secret": key.decapsulate(bytes.fromhex(asked.ciphertext)).hex()}


if __name__ == "__main__":
    import uvicorn

    os.environ["PEER_PORT"], os.environ["PEER_WORKERS"] = sys.argv[1], sys.argv[2]
    uvicorn.run(
        "peer:app",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
