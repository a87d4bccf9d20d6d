"""Writes a request as one access log line without personal data, in the Combined Log Format or as JSON.

Text from the client is cleaned: queries are removed, a referrer on another site is reduced to its origin, and
addresses are truncated in every field and spelling (`stats/address_scrubbing.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import NamedTuple, TypeVar

from cookieguard.stats.address_scrubbing import (
    COLONS,
    DASHES,
    DOTS,
    STRICTEST,
    Reach,
    hides_text,
    network_of,
    networks_in,
    scrubbed,
)
from cookieguard.stats.anonymize import UNKNOWN

Known = TypeVar("Known")
Cached = TypeVar("Cached")

# GoAccess reads at most 4,096 bytes as one line (its LINE_BUFFER) and takes the rest for another line. With the fixed
# fields, these limits keep a line below that, even if characters are escaped.
MAX_PATH = 2000
MAX_REFERRER = 1000
MAX_AGENT = 512
MAX_WORD = 45  # the longest address; methods and versions are shorter
MAX_REQUEST = MAX_PATH + 2 * MAX_WORD + 7

_USUAL = {word: word.encode() for word in ("GET", "POST", "HEAD", "1.1", "2", "1.0")}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# The same escapes as Apache's: \" and \\, and \xhh for everything outside printable ASCII.
_ESCAPES = {byte: chr(byte).encode() if 0x20 <= byte < 0x7F else b"\\x%02x" % byte for byte in range(256)} | {
    0x22: b'\\"',
    0x5C: b"\\\\",
}
_HOSTILE = re.compile(rb"[^ !#-\[\]-~]")
# Unprintable characters in JSON, which has its own escapes for quotes and backslashes. GoAccess ends a text at a NUL.
_UNPRINTABLE = re.compile(rb"[^ -~]")
_HEX = {byte: b"\\x%02x" % byte for byte in range(256)}
_ORIGIN = re.compile(
    rb"([a-z][a-z0-9+.-]{0,31})://(?:[^/?#@\\]*@)*([^/?#@\\\s]{1,300})(?:(/[^?#]*)|\Z|(?=[?#]))", re.I
)
_DEFAULT_PORT = re.compile(rb":(?:80|443)?\Z")
# A host whose last label is a number is an IPv4 address (WHATWG URL, "ends in a number").
_DOTTED = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_NUMERIC_HOST = re.compile(rb"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.I)

# The first, quick test of a text: it matches if the text may contain an address.
_DOUBTFUL = re.compile(b"|".join((COLONS, DOTS, DASHES, b"%")))
# Agents, paths and referrers repeat often. Only texts without addresses are cached, so the cache holds no address.
TEXTS_KEPT = 1024
_clean: dict[bytes, frozenset[bytes]] = {}  # clean texts, with the networks that numbers in them may be in
_whole: dict[tuple[bytes, bytes], None] = {}  # referrers that are logged in full on requests for this host


class LogLine(NamedTuple):
    """The fields of a log line. `address` is truncated before it is written, and mostly before it gets here.

    `path` is the raw, percent-encoded path. `host` is the request's Host header, which distinguishes the shop's own
    referrers from others. The caller shortens long fields, so that queues stay small. It is a tuple, the cheapest
    object to make at every request.
    """

    address: str
    time: datetime
    method: str
    path: bytes
    http_version: str
    status: int
    bytes_sent: int
    referrer: bytes = b""
    user_agent: bytes = b""
    host: bytes = b""

    def __repr__(self) -> str:
        return f"<LogLine {self.status}>"


def combined(line: LogLine, *, ipv4_prefix: int = 24, ipv6_prefix: int = 48, own: str = "") -> bytes:
    """Return a line in the Combined Log Format, with its newline; the identity fields are always `-`.

    The prefixes say how far addresses inside path, referrer and user agent are truncated. `own` is the client's
    address, if the line has a substitute for it.
    """
    # Unpacked at once, because reading ten fields by name takes a fifth of the function's time.
    address, time, method, path, version, status, bytes_sent, referrer, agent, host = line
    reach = tuple.__new__(Reach, (own or address, ipv4_prefix, ipv6_prefix))
    near = network_of(own or address)
    if referrer:
        referrer = _field(_reduced(referrer, host, near), MAX_REFERRER, reach, near)
    return b'%b - - [%b] "%b %b HTTP/%b" %d %d "%b" "%b"\n' % (
        _word(address.encode("ascii", "replace")),
        _stamp(int(time.timestamp())),
        _USUAL.get(method) or _word(scrubbed(method.encode("latin-1", "replace"), reach)),
        _path(path.partition(b"?")[0], reach, near),
        _USUAL.get(version) or _word(version.encode("latin-1", "replace")),
        status,
        bytes_sent,
        referrer or b"-",
        _field(agent, MAX_AGENT, reach, near) or b"-",
    )


def json_line(line: LogLine, *, ipv4_prefix: int = 24, ipv6_prefix: int = 48, own: str = "") -> bytes:
    """Return the same line as one JSON object and a newline, in ASCII; empty fields are `-` here too.

    The request line stays one text, because GoAccess refuses an unusual method in a field of its own.
    """
    reach = Reach(own or line.address, ipv4_prefix, ipv6_prefix)
    path, referrer, agent = _cleaned_texts(line, reach)
    request = b"%b %b HTTP/%b" % (
        scrubbed(line.method.encode("latin-1", "replace"), reach)[:MAX_WORD].replace(b" ", b"%20"),
        path[:MAX_PATH].replace(b" ", b"%20") or b"-",
        line.http_version.encode("latin-1", "replace")[:MAX_WORD],
    )
    return (
        f'{{"time":"{_iso(int(line.time.timestamp()))}","client":{_quoted(line.address.encode("ascii", "replace"))},'
        f'"request":{_quoted(request, MAX_REQUEST)},"status":{line.status:d},"bytes":{line.bytes_sent:d},'
        f'"referrer":{_quoted(referrer, MAX_REFERRER)},"agent":{_quoted(agent, MAX_AGENT)}}}\n'
    ).encode()


FORMS: dict[str, Callable[..., bytes]] = {"combined": combined, "json": json_line}


def _cleaned_texts(line: LogLine, reach: Reach) -> tuple[bytes, bytes, bytes]:
    """Return path, referrer and user agent without queries and addresses."""
    near = network_of(reach.own)
    return (
        _scrub(line.path.partition(b"?")[0], reach, near),
        _scrub(_reduced(line.referrer, line.host, near), reach, near),
        _scrub(line.user_agent, reach, near),
    )


@lru_cache(maxsize=8)  # a batch has few different seconds
def _stamp(second: int) -> bytes:
    """Return a time as Apache writes it, in UTC. Not by strftime, whose month names depend on the locale."""
    time = datetime.fromtimestamp(second, UTC)
    month = _MONTHS[time.month - 1]
    return (
        f"{time.day:02}/{month}/{time.year:04}:{time.hour:02}:{time.minute:02}:{time.second:02} +0000"
    ).encode()


@lru_cache(maxsize=8)
def _iso(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}Z"


def _quoted(value: bytes, longest: int = MAX_WORD) -> str:
    """Return a quoted JSON text of at most `longest` characters inside; unprintable bytes become \\xhh."""
    text = encode_basestring_ascii(_plain(value[:longest]))
    if len(text) > longest + 2:  # an escape takes five characters at most
        text = encode_basestring_ascii(_plain(value[: longest // 5]))
    return text if value else '"-"'


def _plain(value: bytes) -> str:
    return _UNPRINTABLE.sub(lambda match: _HEX[match[0][0]], value).decode()


def _word(value: bytes, longest: int = MAX_WORD) -> bytes:
    """Return an escaped field that ends at a space: spaces inside become %20, and an empty field becomes `-`."""
    return _escaped(value.replace(b" ", b"%20"), longest) or b"-"


def _path(value: bytes, reach: Reach, near: bytes) -> bytes:
    """Return a path, scrubbed before spaces become %20, whose digits could otherwise join those of an address."""
    if value.find(b" ") < 0 and _is_known(value, near):
        return value[:MAX_PATH] or b"-"
    return _word(_scrub(value, reach, near), MAX_PATH)


def _field(value: bytes, longest: int, reach: Reach, near: bytes) -> bytes:
    """Return an escaped text without addresses; most texts are cached as clean."""
    if _is_known(value, near):
        return value[:longest]
    return _escaped(_scrub(value, reach, near), longest)


def _escaped(value: bytes, longest: int) -> bytes:
    """Return a text with escapes for characters that would end the field or line, or control a reader's terminal."""
    value = value[:longest]
    if not _HOSTILE.search(value):
        return value
    escaped = _HOSTILE.sub(_escape, value)
    # An escape has at most four bytes. The text is cut before escaping, so that no escape is cut in half.
    return escaped if len(escaped) <= longest else _HOSTILE.sub(_escape, value[: longest // 4])


def _escape(match: re.Match[bytes]) -> bytes:
    return _ESCAPES[match[0][0]]


def _reduced(referrer: bytes, host: bytes, near: bytes) -> bytes:
    """Return a referrer without user, password, query and fragment; without its path if it has another host or port.

    A referrer that is no hierarchical URL (`about:client`, junk) becomes empty.
    """
    if not referrer or (referrer, host) in _whole:
        return referrer
    origin = _ORIGIN.match(referrer)
    if origin is None:
        return b""
    scheme, place, path = origin[1].lower(), origin[2].lower(), origin[3] or b"/"
    is_own = _same_place(place, host)
    reduced = b"%b://%b%b" % (scheme, place, path) if is_own else b"%b://%b/" % (scheme, _named(place))
    if reduced == referrer and _is_clean(reduced, near) and _is_clean(host, near):
        _remember(_whole, (referrer, host), None)
    return reduced


def _same_place(place: bytes, host: bytes) -> bool:
    """Return whether hosts with ports are the same. The scheme is unknown here, so both 80 and 443 count as none."""
    return _DEFAULT_PORT.sub(b"", place) == _DEFAULT_PORT.sub(b"", host.lower())


def _named(place: bytes) -> bytes:
    """Return a host, or UNKNOWN for an IPv4 address not in dotted form. Dotted ones are scrubbed later."""
    name = place.partition(b":")[0]
    if place.startswith(b"[") or not _NUMERIC_HOST.fullmatch(name) or _DOTTED.fullmatch(name):
        return place
    return UNKNOWN.encode()


def _is_known(value: bytes, near: bytes) -> bool:
    """Return whether a text is cached as clean, and has no number that may be an address in the client's network."""
    networks = _clean.get(value)
    return networks is not None and near not in networks


def _is_clean(value: bytes, near: bytes) -> bool:
    """Return whether a text needs no scrubbing or escaping, and cache it if so."""
    if _is_known(value, near):
        return True
    if _HOSTILE.search(value):
        return False
    if (_DOUBTFUL.search(value) or hides_text(value)) and scrubbed(value, STRICTEST) != value:
        return False
    networks = networks_in(value)
    if near in networks:
        return False
    _remember(_clean, value, networks)
    return True


def _remember(known: dict[Known, Cached], text: Known, cached: Cached) -> None:
    if len(known) >= TEXTS_KEPT:
        known.clear()
    known[text] = cached


def _scrub(value: bytes, reach: Reach, near: bytes) -> bytes:
    """Return a text with every address truncated."""
    return value if _is_clean(value, near) else scrubbed(value, reach)
