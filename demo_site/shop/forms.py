"""Read the shop's HTML forms, with a limit of their size, and with messages for missing fields."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from demo_site.shop.database import Address

# Many times the size of an address, but too small for an attack on the memory.
MOST_BYTES = 16 * 1024
MOST_FIELDS = 30
ADDRESS_LIMITS = {"name": 80, "email": 120, "street": 120, "postcode": 12, "city": 80, "country": 60}
NO_EMAIL = "This does not look like an e-mail address."
COUNTRIES = ("Germany", "Austria", "Denmark", "France", "Netherlands", "Sweden", "Switzerland")


async def read_form(request: Request) -> dict[str, str]:
    """Read an urlencoded form; too large is 413, unreadable is 400."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "This form is too large.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "This form cannot be read.") from error
    return {name: value.strip() for name, value in fields}


def address_of(form: dict[str, str]) -> tuple[Address | None, dict[str, str]]:
    """Return the address in a form, or a message for each wrong field."""
    wrong = {name: "Please fill this in." for name in ADDRESS_LIMITS if not form.get(name)}
    for name, limit in ADDRESS_LIMITS.items():
        if len(form.get(name, "")) > limit:
            wrong[name] = f"Please use at most {limit} characters."
    if "email" not in wrong and not is_email(form["email"]):
        wrong["email"] = NO_EMAIL
    if "country" not in wrong and form["country"] not in COUNTRIES:
        wrong["country"] = "We do not deliver there yet."
    if wrong:
        return None, wrong
    return Address(**{name: form[name] for name in ADDRESS_LIMITS}), {}


def is_email(text: str) -> bool:
    """Return whether a text has the form of a mail address; only a sent mail can show whether it exists."""
    return "@" in text and len(text) <= ADDRESS_LIMITS["email"]


def quantity_of(form: dict[str, str], *, lowest: int) -> int:
    """Return the quantity in a form: at least `lowest`, at most 20, and 1 if it is no number."""
    text = form.get("quantity", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return min(max(number, lowest), 20)
