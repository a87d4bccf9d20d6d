"""Read the fields of a posted form or JSON object, within fixed limits."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cookieguard.errors import CookieGuardError

# A choice is under 1 KB. A customer's request has up to 2,000 characters, each nine bytes once urlencoded in many
# scripts, and a letter that staff enter has a name and an address too.
MAX_BODY_BYTES = 24 * 1024
MAX_FIELDS = 100  # each purpose of a choice is a field
FORM_TYPE = b"application/x-www-form-urlencoded"
JSON_TYPE = b"application/json"

Receive = Callable[[], Awaitable[Any]]


class BadRequestError(CookieGuardError):
    """Raised when a post is refused: one line for the reader, and the HTTP status of the answer."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Fields:
    """Hold a posted choice: button, ticked purposes, page to return to, and hash of the banner that was shown."""

    choice: str
    purposes: tuple[str, ...]
    next: str
    banner: str


async def read_fields(content_type: bytes, receive: Receive) -> Fields:
    """Read the request body into Fields; raises BadRequestError."""
    pairs = await read_pairs(content_type, receive)
    return Fields(
        choice=next((value for name, value in pairs if name == "choice"), ""),
        purposes=tuple(value for name, value in pairs if name == "purpose"),
        next=next((value for name, value in pairs if name == "next"), ""),
        banner=next((value for name, value in pairs if name == "banner"), ""),
    )


async def read_pairs(
    content_type: bytes, receive: Receive, most: int = MAX_BODY_BYTES
) -> list[tuple[str, str]]:
    """Read the request body into names and values; raises BadRequestError."""
    reader = READERS.get(content_type)
    if reader is None:
        raise BadRequestError(415, f"a choice must be posted as {FORM_TYPE.decode()} or {JSON_TYPE.decode()}")
    pairs = reader(await read_body(receive, most))
    if len(pairs) > MAX_FIELDS:
        raise BadRequestError(413, f"a choice has at most {MAX_FIELDS} fields")
    return pairs


async def read_body(receive: Receive, most: int = MAX_BODY_BYTES) -> bytes:
    """Read a request body of at most so many bytes; raises BadRequestError."""
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError(400, "the request ended before its body did")
        body = body + bytes(message.get("body", b""))
        if len(body) > most:
            raise BadRequestError(413, f"the body has more than {most} bytes")
        if not message.get("more_body", False):
            return body


def _form_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise BadRequestError(400, "the form is not urlencoded ASCII") from error
    except ValueError as error:
        raise BadRequestError(413, f"a choice has at most {MAX_FIELDS} fields") from error


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(400, "the body is not JSON") from error
    if not isinstance(fields, dict):
        raise BadRequestError(400, "the body is not a JSON object")
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in values):
            raise BadRequestError(400, "each member of a choice must be text or a list of text")
        pairs.extend((name, text) for text in values)
    return pairs


READERS: dict[bytes, Callable[[bytes], list[tuple[str, str]]]] = {
    FORM_TYPE: _form_pairs,
    JSON_TYPE: _json_pairs,
}
