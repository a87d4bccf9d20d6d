"""Base64 as it stands in tokens (RFC 4648, section 5, without padding). Written twice: here, and in C (.pyx)."""

from __future__ import annotations

import binascii

_TO_BASE64 = bytes.maketrans(b"-_", b"+/")
_FROM_BASE64 = bytes.maketrans(b"+/", b"-_")


def to_base64url(raw: bytes) -> str:
    """Write bytes."""
    return binascii.b2a_base64(raw, newline=False).translate(_FROM_BASE64).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Read what `to_base64url` wrote, the other alphabet too; ValueError for anything else."""
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    if "=" in text:
        raise ValueError("padding")
    return binascii.a2b_base64(padded.translate(_TO_BASE64), strict_mode=True)
