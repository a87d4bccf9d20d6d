"""A prefix-preserving cipher for addresses: addresses of one network are enciphered into one other network.

It is the mode `pfx` of draft-denis-ipcrypt ("Methods for IP Address Encryption and Obfuscation"), which XORs each bit
with one that depends on the bits before it. Rule: no address is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntop

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB

from cookieguard.stats.anonymize import UNKNOWN, packed_address

KEY_BYTES = 32
BITS = 128
BLOCK_BYTES = 16
_MAPPED_BITS = 96  # the first bits of ::ffff:a.b.c.d are kept, so that the result is an IPv4 address too
_MAPPED = 0xFFFF << 32
_LAST_BITS = bytes(b"01"[byte & 1] for byte in range(256))


def prefix_cipher(key: bytes) -> Callable[[str], str]:
    """Return a function that enciphers addresses under a key of 32 bytes, and returns `0.0.0.0` for other text.

    It takes 8 us for IPv4 and 22 us for IPv6. Raises ValueError for a key with equal halves, which would cancel out.
    """
    first, second = key[:BLOCK_BYTES], key[BLOCK_BYTES:]
    if len(key) != KEY_BYTES or first == second:
        raise ValueError(f"the key must consist of two different halves of {BLOCK_BYTES} bytes")
    # ECB is safe here: only one bit of each block is used, as a pseudo-random function of a prefix.
    encryptor, other = (Cipher(AES128(half), ECB()).encryptor() for half in (first, second))  # noqa: S305

    def encipher(address: str) -> str:
        packed = packed_address(address)
        if packed is None:
            return UNKNOWN
        is_ipv4 = len(packed) == 4
        number = int.from_bytes(packed, "big")
        start = _MAPPED_BITS if is_ipv4 else 0
        blocks = _prefixes(number | _MAPPED if is_ipv4 else number, start)
        # The draft takes the last bit of E1 XOR E2.
        mask = _last_bits(encryptor.update(blocks)) ^ _last_bits(other.update(blocks))
        enciphered = (number ^ mask).to_bytes(len(packed), "big")
        return inet_ntop(AF_INET if is_ipv4 else AF_INET6, enciphered)

    return encipher


def _prefixes(number: int, start: int) -> bytes:
    """Return a block for every bit from `start` on: the bits before it after a 1, aligned to the right."""
    return b"".join(
        [
            (1 << length | number >> (BITS - length)).to_bytes(BLOCK_BYTES, "big")
            for length in range(start, BITS)
        ]
    )


def _last_bits(blocks: bytes) -> int:
    return int(blocks[BLOCK_BYTES - 1 :: BLOCK_BYTES].translate(_LAST_BITS), 2)
