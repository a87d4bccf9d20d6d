"""Where a view came from: the referrer's host and the UTM fields of the query, without a person in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from cookieguard.stats.hits import ADDRESS

MAX_HOST = 100
MAX_FIELD = 80  # characters of a UTM field; longer ones are ids, not names
MAX_PAIRS = 50  # of a query that are looked at
HOSTS_KEPT = 1024
UTM = ("source", "medium", "campaign", "term", "content")
NO_UTM: Mapping[str, str] = {}

_REFERRER = re.compile(rb"https?://(?:[^/?#@\\]*@)*([^/?#@\\\s:]{1,100})(?::[0-9]{0,5})?(?=[/?#]|\Z)", re.I)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*\.)*[a-z0-9_-]*")
# WHATWG URL, "ends in a number": such a host is an IPv4 address, however it is written.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_ADDRESS = re.compile(r"\d{1,3}([.-])\d{1,3}\1\d{1,3}\1\d{1,3}|[0-9a-f]*(?::[0-9a-f]*){2,}", re.I)
_MAIL = re.compile(r"[^\s/@]+@[^\s/@]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Digits that name one thing or person; years and dates of eight stay readable in UTM fields only.
_LONG_NUMBER = re.compile(r"\d{5,}")
_TOKEN = re.compile(r"(?=[^/]*\d)(?=[^/]*[a-z])[0-9a-z_=-]{20,}|[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}", re.I)
MAX_PAGE = 200  # characters


@lru_cache(maxsize=HOSTS_KEPT)
def referrer_host(header: bytes) -> str:
    """Return the host of a Referer, lower-case and without `www.`; empty for what is none."""
    found = _REFERRER.match(header)
    if found is None:
        return "" if not header.lower().startswith((b"http://[", b"https://[")) else ADDRESS
    return cleaned_host(found[1].decode("latin-1"))


def cleaned_host(host: str) -> str:
    """Return a host as it is kept: an IP address becomes `(address)`, what is no host becomes empty."""
    host = host.lower().removeprefix("www.")[:MAX_HOST]
    if ":" in host or _NUMERIC.fullmatch(host) or _ADDRESS.search(host):
        return ADDRESS
    return host.rstrip(".") if _HOST.fullmatch(host) else ""


def utm_fields(query: bytes) -> Mapping[str, str]:
    """Return the UTM fields of a query, by their name without `utm_`; the first of several counts."""
    if b"utm_" not in query:
        return NO_UTM
    found: dict[str, str] = {}
    for pair in query.split(b"&", MAX_PAIRS)[:MAX_PAIRS]:
        name, _, value = pair.partition(b"=")
        field = name[4:].decode("latin-1")
        if name.startswith(b"utm_") and field in UTM and field not in found:
            found[field] = cleaned_field(unquote_plus(value[: MAX_FIELD * 9].decode("latin-1")))
    return found


def cleaned_field(text: str) -> str:
    """Return free text as it is kept: one line, at most 80 characters, no address and no mail address in it."""
    text = _MAIL.sub("(mail)", _ADDRESS.sub(ADDRESS, _UNPRINTABLE.sub("", text)))
    return text.strip()[:MAX_FIELD]


def personal_part(text: str) -> str:
    """Say what in a text may name one person or thing; empty where nothing looks like it."""
    if "@" in text:
        return "a mail address"
    if _ADDRESS.search(text):
        return "an IP address"
    if _LONG_NUMBER.search(text):
        return "a long number"
    has_token = any(_TOKEN.fullmatch(word) and re.search(r"\d", word) for word in text.split())
    return "what looks like a token" if has_token else ""


@lru_cache(maxsize=HOSTS_KEPT)
def cleaned_path(path: str, *, folds_ids: bool) -> str:
    """Return a path as it is kept: no address, no mail address; with `folds_ids` no long number and no token.

    >>> cleaned_path("/orders/1004217/ada@shop.example", folds_ids=True)
    '/orders/{id}/{id}'
    """
    path = _UNPRINTABLE.sub("", path.partition("?")[0])[: 4 * MAX_PAGE]
    path = "/".join(_cleaned_segment(one, folds_ids=folds_ids) for one in path.split("/"))
    return path[:MAX_PAGE] or "/"


def _cleaned_segment(segment: str, *, folds_ids: bool) -> str:
    if _MAIL.search(segment) or _ADDRESS.search(segment):
        return "{id}"
    if not folds_ids:
        return segment
    if _TOKEN.fullmatch(segment) and re.search(r"\d", segment):
        return "{id}"
    return _LONG_NUMBER.sub("{id}", segment)
