"""Values for the formats of the document: `bytes-N` is N bytes in hex or base64.

Schemathesis loads this by itself. Drawn from the pattern alone, a key of thousands of characters
would use up all that one example may draw; here it grows from one number.
"""

import base64
import hashlib

import schemathesis
from hypothesis import strategies as st

# Every length of a fixed-size value in the contract.
LENGTHS = [
    16, 32, 64, 768, 800, 1088, 1120, 1184, 1216, 1312, 1568, 1632, 1952, 2400, 2420, 2453,
    2560, 2592, 3168, 3309, 3342, 4032, 4627, 4660, 4896,
]
ENCODINGS = [
    bytes.hex,
    lambda value: value.hex().upper(),
    lambda value: base64.b64encode(value).decode(),
    lambda value: base64.urlsafe_b64encode(value).decode().rstrip("="),
]


def encoded(length):
    def grow(drawn):
        seed, encode = drawn
        return encode(hashlib.shake_256(seed.to_bytes(4, "big")).digest(length))

    return st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(ENCODINGS)).map(grow)


for length in LENGTHS:
    schemathesis.openapi.format(f"bytes-{length}", encoded(length))
