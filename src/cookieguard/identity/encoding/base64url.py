"""Base64url without padding (RFC 4648, section 5), as tokens use it. base64url.pyx is the same for the C build."""

from __future__ import annotations

import binascii

_TO_BASE64 = bytes.maketrans(b"-_", b"+/")
_FROM_BASE64 = bytes.maketrans(b"+/", b"-_")


def to_base64url(raw: bytes) -> str:
    """Return bytes as base64url text."""
    return binascii.b2a_base64(raw, newline=False).translate(_FROM_BASE64).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Return the bytes of base64url text, which may also use `+` and `/`; ValueError for other text."""
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    if "=" in text:
        raise ValueError("padding")
    return binascii.a2b_base64(padded.translate(_TO_BASE64), strict_mode=True)
