"""The products and customers of all framework shops."""

from __future__ import annotations

from urllib.parse import parse_qsl

PRODUCTS = {"KK-101": "Teapot", "KK-102": "Kettle"}
PASSWORDS = {"10042": "blue-glaze", "10043": "ash-glaze"}


def is_customer(number: str, password: str) -> bool:
    """Return whether this is the customer's password."""
    return PASSWORDS.get(number) == password


def form_fields(body: bytes) -> dict[str, str]:
    """Read a form where the framework would want python-multipart for it."""
    return dict(parse_qsl(body.decode()))
