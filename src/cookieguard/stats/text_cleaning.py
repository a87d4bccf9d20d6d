"""Removes personal data from what clients send, before it is stored: paths, hosts, UTM fields and search terms."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from cookieguard.stats.address_scrubbing import decoded, without_hidden
from cookieguard.stats.hits import ADDRESS

MAX_HOST = 100
MAX_FIELD = 80  # characters of a UTM field; longer values are ids, not names
MAX_TERM = 60  # characters of a search term; longer text may identify its writer
MAX_PAIRS = 50  # pairs read per query
HOSTS_KEPT = 1024
UTM = ("source", "medium", "campaign", "term", "content")
NO_UTM: Mapping[str, str] = {}

_REFERRER = re.compile(rb"https?://(?:[^/?#@\\]*@)*([^/?#@\\\s:]{1,100})(?::[0-9]{0,5})?(?=[/?#]|\Z)", re.I)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*\.)*[a-z0-9_-]*")
# A host that "ends in a number" is an IPv4 address in any spelling (WHATWG URL).
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_PART = r"(?:0x[0-9a-f]{1,2}|\d{1,3})"
_STOP = r"\s{0,2}\.\s{0,2}"
_ADDRESS = re.compile(
    rf"{_PART}(?:{_STOP}{_PART}){{3}}|{_PART}([_-]){_PART}\1{_PART}\1{_PART}|[0-9a-f]{{0,32}}(?::[0-9a-f]*){{2,}}",
    re.I,
)
_AT = re.compile(r"@|[(\[{]\s*at\s*[)\]}]", re.I)
_MAIL = re.compile(rf"[^\s/@]+\s*(?:{_AT.pattern})\s*[^\s/@]+", re.I)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Digits that may identify a thing or a person. Only UTM fields keep years and dates of eight digits.
_SPACED_NUMBER = r"\d(?:[ ./()_-]{0,2}\d){9,}"  # telephones, bank accounts
_LONG_NUMBER = re.compile(rf"{_SPACED_NUMBER}|\d{{5,}}")
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
_NO_DATE = re.compile(rf"{_SPACED_NUMBER}|(?<!\d)(?!{_DATE})\d{{5,}}")
_TOKEN = re.compile(r"(?=[^/]*\d)(?=[^/]*[a-z])[0-9a-z_=-]{20,}|[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}", re.I)
_HEX_ID = re.compile(
    r"\b(?=[0-9a-f]{12})(?=[0-9a-f-]*[a-f])(?=[0-9a-f-]*\d)[0-9a-f]{12,}(?:-[0-9a-f]{4,}){0,4}\b", re.I
)
NUMBER = "(number)"
MAX_PAGE = 200  # characters


@lru_cache(maxsize=HOSTS_KEPT)
def referrer_host(header: bytes) -> str:
    """Return the host of a Referer, in lower case and without `www.`; empty if it has none."""
    found = _REFERRER.match(header)
    if found is None:
        return "" if not header.lower().startswith((b"http://[", b"https://[")) else ADDRESS
    return _LONG_NUMBER.sub("{id}", cleaned_host(found[1].decode("latin-1")))


def cleaned_host(host: str) -> str:
    """Return a host for storage: `(address)` for an IP address, and empty if it is not a host."""
    host = host.lower().removeprefix("www.")[:MAX_HOST]
    if ":" in host or _NUMERIC.fullmatch(host) or _ADDRESS.search(host) or without_hidden(host, "") != host:
        return ADDRESS
    return host.rstrip(".") if _HOST.fullmatch(host) else ""


def utm_fields(query: bytes) -> Mapping[str, str]:
    """Return the UTM fields of a query, by name without `utm_`. If a field is repeated, its first value counts."""
    if query.find(b"utm_") < 0:  # `in` first tries to read its operand as a number
        return NO_UTM
    found: dict[str, str] = {}
    for pair in query.split(b"&", MAX_PAIRS)[:MAX_PAIRS]:
        name, _, value = pair.partition(b"=")
        field = name[4:].decode("latin-1")
        if name.startswith(b"utm_") and field in UTM and field not in found:
            found[field] = _cleaned_value(value[: MAX_FIELD * 9])
    return found


@lru_cache(maxsize=HOSTS_KEPT)  # thousands of visitors share the fields of a campaign
def _cleaned_value(value: bytes) -> str:
    return cleaned_field(unquote_plus(value.decode("latin-1")))


def searched_for(query: bytes, names: Collection[str]) -> str:
    """Return the search term, from the first parameter with one of these names; empty if it is too long.

    >>> searched_for(b"page=2&q=Blue++MUG", {"q"})
    'blue mug'
    """
    for pair in query.split(b"&", MAX_PAIRS)[:MAX_PAIRS]:
        name, _, value = pair.partition(b"=")
        if name.decode("latin-1") in names:
            text = unquote_plus(value.decode("latin-1"))
            return cleaned_field(" ".join(text.split()).casefold()) if len(text) <= MAX_TERM else ""
    return ""


def cleaned_field(text: str) -> str:
    """Return free text for storage: one line of at most 80 characters, without IP and mail addresses and long numbers.

    >>> cleaned_field("ada%40shop.example, order 1004217, 20261124")
    '(mail) order (number), 20261124'
    """
    text = without_hidden(_ADDRESS.sub(ADDRESS, _UNPRINTABLE.sub("", decoded(text))), ADDRESS)
    if _AT.search(text):
        text = _MAIL.sub("(mail)", text)
    return _HEX_ID.sub(NUMBER, _NO_DATE.sub(NUMBER, text)).strip()[:MAX_FIELD]


def personal_part(text: str) -> str:
    """Return a description of the first part of a text that may identify a person or thing; empty if there is none."""
    text = decoded(text)
    if _AT.search(text):
        return "a mail address"
    if _ADDRESS.search(text) or without_hidden(text, "") != text:
        return "an IP address"
    if _LONG_NUMBER.search(text):
        return "a long number"
    has_token = any(_TOKEN.fullmatch(word) and re.search(r"\d", word) for word in text.split())
    return "a word that looks like a token" if has_token else ""


def shown_path(path: str) -> str:
    """Return a path for a log message, without parts that may identify a person, such as a mail address."""
    cleaned = cleaned_path(path[: 4 * MAX_PAGE], folds_ids=True)
    return (cleaned if "{id}" in cleaned else path)[:MAX_PAGE]


@lru_cache(maxsize=HOSTS_KEPT)
def cleaned_path(path: str, *, folds_ids: bool) -> str:
    """Return a path for storage, without IP and mail addresses, and with `folds_ids` without long numbers and tokens.

    >>> cleaned_path("/orders/1004217/ada@shop.example", folds_ids=True)
    '/orders/{id}/{id}'
    """
    path = _UNPRINTABLE.sub("", path.partition("?")[0])[: 4 * MAX_PAGE]
    path = "/".join(_cleaned_segment(segment, folds_ids=folds_ids) for segment in path.split("/"))
    return path[:MAX_PAGE] or "/"


def _cleaned_segment(segment: str, *, folds_ids: bool) -> str:
    plain = decoded(segment)
    if (
        _ADDRESS.search(plain)
        or (_AT.search(plain) and _MAIL.search(plain))
        or without_hidden(plain, "") != plain
    ):
        return "{id}"
    if not folds_ids:
        return segment
    if plain != segment and _LONG_NUMBER.search(plain):
        return "{id}"
    if _TOKEN.fullmatch(segment) and re.search(r"\d", segment):
        return "{id}"
    return _LONG_NUMBER.sub("{id}", segment)
