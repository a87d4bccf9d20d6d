"""Finds addresses inside a text, in any spelling a client may use, and truncates or removes them.

There are two rules, because a number may be an order and a word may be base64. Text with the form of an address is
always replaced: dotted, with colons, with dashes, percent-encoded, in full-width characters, or base64 of such a text.
Text that may be something else (an integer, hex digits, base64 of four bytes, short forms of inet_aton) is replaced
only if it would be an address in the client's own network, as one in 16 million other numbers is.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from socket import AF_INET6, inet_pton
from typing import NamedTuple
from urllib.parse import quote, unquote

from cookieguard.stats.anonymize import UNKNOWN, packed_address, truncate

MOST_CODINGS = 3  # rounds of percent-decoding: a link in a link in a link
OWN_BITS = 24, 48  # bits of the client's address that are compared if the settings keep none
NEAR = 2  # bytes
REMOVED = b"0-0-0-0"  # replaces an address that is not in the usual form with dots or colons

_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
# Matches inside longer digits, because `1203.0.113.7` contains an address. Versions like 131.0.6778.86 do not match.
_IPV4 = re.compile(_OCTET + rb"(?:\." + _OCTET + rb"){3}(\.in-addr\.arpa)?", re.I)
# It begins with a literal, which makes the test of a text without addresses ten times faster.
DOTS = rb"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
_DOTS = re.compile(DOTS)
_IPV6 = re.compile(rb"[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}", re.I)
COLONS = rb"::|:[^:]*(?::[^:]*){5}"
_NUMBERS = re.compile(rb"[0-9]+(?:[-_][0-9]+){3,}")
_GROUPS = re.compile(rb"[0-9a-f]{1,4}(?:[-_]{1,2}[0-9a-f]{1,4}){2,}(?![0-9a-z])", re.I)
DASHES = (
    rb"[0-9][-_][0-9]{1,3}[-_][0-9]{1,3}[-_][0-9]|[0-9a-fA-F][-_]{2}[0-9a-fA-F]|(?:[-_][0-9a-fA-F]{1,4}){7}"
)
_DASHES = re.compile(DASHES)
IPV6_GROUPS, LONGEST_IPV6 = 8, 41
# Positions at which an assigned IPv6 address may begin; trying every position would take too long.
_ASSIGNED = re.compile(r"(?:^|(?<=-))(?=(?:[23][0-9a-f]|f[c-e])[0-9a-f]{2}-)", re.I)
_DATE = re.compile(rb"(?:19|20)[0-9]{2}[-_](?:0?[1-9]|1[0-2])[-_](?:0?[1-9]|[12][0-9]|3[01])(?![0-9])")
_DATES = re.compile(rb"%b(?:[-_]{1,2}%b)?" % (_DATE.pattern, _DATE.pattern))  # a date or a range of dates
_BASE64 = re.compile(rb"[A-Za-z0-9+_-]{10,}={0,2}")
_PARTS = re.compile(rb"[-_+]")
# Padded base64 of four or sixteen bytes
_PADDED = re.compile(rb"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{6}|[A-Za-z0-9+/_-]{22})==(?!=)")
SHORTEST_BASE64 = 8
_PRINTABLE = re.compile(rb"[ -~]+")
# Text that counts as an address only if it would be in the client's network
_NUMBER = re.compile(rb"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}", re.I)
_HEX = re.compile(rb"[0-9a-f]{2}(?:[-:_. ]?[0-9a-f]{2}){3,31}", re.I)
_SHORT = re.compile(rb"(?<![A-Za-z0-9+_-])(?:[A-Za-z0-9+_-]{6}|[A-Za-z0-9+_-]{22})(?![A-Za-z0-9+_-])(?:==)?")
_SLASHED = re.compile(_SHORT.pattern.replace(rb"+_-", rb"+/_-"))  # a slash is a base64 letter here
# `2400--1` is an address, and has the form of a season like `2024--2025`.
_TWO_GROUPS = re.compile(rb"([0-9a-f]{1,4})(?:--|__)([0-9a-f]{1,4})(?![0-9a-z])", re.I)
_BETWEEN = re.compile(rb"[-:_. ]")
LEAST_NUMBER = 7  # digits; the lowest assigned address, 1.0.0.0, is a number of eight digits
# Invisible characters (Unicode's Default_Ignorable_Code_Point) are removed, and these characters are read as dots.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_AS_DOTS = dict.fromkeys(map(ord, "\u3002\uff61\u00b7\u06d4\u22c5\u2219"), ".")

Maybe = tuple[int, int, bytes]  # start, end, and the four or sixteen bytes of the possible address


class Reach(NamedTuple):
    """The client's address as the line has it, and how many bits of other addresses are kept."""

    own: str
    ipv4: int
    ipv6: int

    def covers(self, packed: bytes) -> bool:
        """Return whether bytes, in either order, are an address in the client's network other than its first."""
        own = packed_address(self.own)
        if own is None or len(own) != len(packed):
            return False
        bits = (self.ipv4 or OWN_BITS[0]) if len(packed) == 4 else (self.ipv6 or OWN_BITS[1])
        shift = 8 * len(packed) - bits
        network = int.from_bytes(own, "big") >> shift
        numbers = int.from_bytes(packed, "big"), int.from_bytes(packed, "little")
        return any(number >> shift == network and number != network << shift for number in numbers)


STRICTEST = Reach("", 0, 0)  # keeps no bit of any address


def scrubbed(text: bytes, reach: Reach) -> bytes:
    """Return a text without addresses.

    >>> scrubbed(b"/from/203%2E0%2E113%2E7/3405803783", Reach("203.0.113.0", 24, 48))
    b'/from/203.0.113.0/0-0-0-0'
    """
    if b"%" in text or not text.isascii():
        text = b"/".join([_decoded_part(part, reach) for part in text.split(b"/")])
    return _without_own(_plainly(text, reach), reach)


def decoded(text: str) -> str:
    """Return text as a person reads it: percent-decoded up to three times, in NFKC, without invisible characters."""
    for _ in range(MOST_CODINGS):
        if "%" not in text:
            break
        text = unquote(text)
    return (
        text if text.isascii() else _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).translate(_AS_DOTS)
    )


def without_hidden(text: str, instead: str) -> str:
    """Return a text with `instead` in place of addresses with dashes for colons, and of addresses in base64."""
    if "-" not in text and "_" not in text and len(text) < SHORTEST_BASE64:
        return text
    plain, new = text.encode("utf-8", "surrogateescape"), instead.encode()
    plain = _GROUPS.sub(lambda found: new if _is_ipv6(found[0]) else found[0], plain)
    plain = _PADDED.sub(new, plain)
    plain = _BASE64.sub(lambda found: new if _is_hidden(found[0]) else found[0], plain)
    return plain.decode("utf-8", "surrogateescape")


def hides_text(text: bytes) -> bool:
    """Return whether a text contains the base64 of an address's text."""
    return any(_is_hidden(found[0]) for found in _BASE64.finditer(text))


def network_of(address: str) -> bytes:
    """Return the first two bytes of an address, which suffice to rule out most numbers in a text."""
    return (packed_address(address) or b"")[:NEAR]


def networks_in(text: bytes) -> frozenset[bytes]:
    """Return the first two bytes, in either order, of all possible addresses in a text.

    For a client whose network is not among them, the text contains no such address.
    """
    found = [packed for _, _, packed in _maybes(text)]
    if b"%" in text:
        for part in text.split(b"/"):
            found += [packed for _, _, packed in _maybes(_decoded(part))]
    return frozenset([packed[:NEAR] for packed in found] + [packed[: -NEAR - 1 : -1] for packed in found])


def _decoded_part(part: bytes, reach: Reach) -> bytes:
    """Return a part unchanged unless its decoded form contains an address."""
    plain = _decoded(part)
    if plain == part:
        return part
    found = _without_own(_plainly(plain, reach), reach)
    return part if found == plain else quote(found, safe=b" !#$&'()*+,:;=?@[]").encode()


def _decoded(part: bytes) -> bytes:
    return decoded(part.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _plainly(text: bytes, reach: Reach) -> bytes:
    """Return a text in which everything with the form of an address is truncated or removed."""
    if b"::" in text or text.count(b":") >= 6:
        text = _IPV6.sub(lambda found: _cut_ipv6(found[0], reach), text)
    if _DOTS.search(text):
        text = _IPV4.sub(lambda found: _cut_ipv4(found, reach), text)
    if _DASHES.search(text):
        text = _NUMBERS.sub(lambda found: _cut_numbers(found[0], reach), text)
        text = _GROUPS.sub(lambda found: REMOVED if _is_ipv6(found[0]) else found[0], text)
    return _BASE64.sub(lambda found: REMOVED if _is_hidden(found[0]) else found[0], text)


def _cut_ipv6(found: bytes, reach: Reach) -> bytes:
    """Return a truncated IPv6 address; `12:30:45` stays as it is, and a malformed address becomes `::`."""
    if b"::" not in found and found.count(b":") < 6:
        return found
    address = truncate(found.decode(), ipv4_prefix=reach.ipv4, ipv6_prefix=reach.ipv6)
    return b"::" if address == UNKNOWN else address.encode()


def _cut_ipv4(found: re.Match[bytes], reach: Reach) -> bytes:
    """Return a truncated dotted quad, which may have leading zeros (`203.000.113.007`) or be a reverse DNS name."""
    if found[1]:
        return UNKNOWN.encode() + found[1]
    plain = ".".join(str(int(octet)) for octet in found[0].split(b"."))
    if plain.endswith(".0.0.0"):  # the version of a browser, not the address of a host
        return found[0]
    return truncate(plain, ipv4_prefix=reach.ipv4).encode()


def _cut_numbers(found: bytes, reach: Reach) -> bytes:
    """Return a row of numbers, zeroed if it contains an address: in the client's network, or with a number over 99."""
    date = _DATE.match(found)
    start = date.end() if date else 0
    numbers = re.split(rb"[-_]", found[start:])
    rows = [numbers[at : at + 4] for at in range(len(numbers) - 3)]
    if not any(_is_address(row, reach) for row in rows):
        return found
    # All numbers become 0, because the position of the address in the row is uncertain.
    return found[:start] + re.sub(rb"[0-9]+", b"0", found[start:])


def _is_address(row: list[bytes], reach: Reach) -> bool:
    octets = [int(number) for number in row if number.isdigit() and len(number) <= 3]
    return len(octets) == 4 and max(octets) <= 255 and (max(octets) > 99 or reach.covers(bytes(octets)))


def _is_ipv6(found: bytes) -> bool:
    """Return whether groups with dashes contain an assigned IPv6 address: global, unique local or link-local."""
    dates = _DATES.match(found)
    text = found[dates.end() if dates else 0 :].decode().replace("_", "-")
    return any(_begins_ipv6(text[at.start() : at.start() + LONGEST_IPV6]) for at in _ASSIGNED.finditer(text))


def _begins_ipv6(text: str) -> bool:
    """Return whether a text begins with an IPv6 address, whatever follows it."""
    groups = text.split("-", IPV6_GROUPS)[:IPV6_GROUPS]
    if "" in groups:
        gap = groups.index("")
        groups = groups[: groups.index("", gap + 1)] if "" in groups[gap + 1 :] else groups
        groups += [""] if groups[-1] == "" else []
    if len(groups) < (4 if "" in groups else IPV6_GROUPS):
        return False
    with suppress(OSError):
        return bool(inet_pton(AF_INET6, ":".join(groups)))
    return False


def _is_hidden(token: bytes) -> bool:
    """Return whether a token, or a part of it between dashes, is the base64 of a text that contains an address."""
    return any(map(_holds_address, {token, *_PARTS.split(token)}))


def _holds_address(token: bytes) -> bool:
    plain = _from_base64(token)
    if not _PRINTABLE.fullmatch(plain):
        return False
    address = _IPV4.search(plain)
    return bool(address and not address[0].endswith(b".0")) or (b"::" in plain or plain.count(b":") >= 6)


def _from_base64(token: bytes) -> bytes:
    token = token.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    with suppress(ValueError):
        return b64decode(token + b"=" * (-len(token) % 4), validate=True)
    return b""


def _maybes(text: bytes) -> Iterator[Maybe]:
    for found in _NUMBER.finditer(text):
        if len(found[0]) > LEAST_NUMBER or b"." in found[0]:
            yield from ((*found.span(), packed) for packed in _numbers(found[0]))
    for found in _HEX.finditer(text):
        yield from ((*found.span(), packed) for packed in _windows(_BETWEEN.sub(b"", found[0]).decode()))
    yield from _two_groups(text)
    for pattern in (_SHORT, _SLASHED):
        for found in pattern.finditer(text):
            packed = _from_base64(found[0])
            if len(packed) in (4, 16):
                yield (*found.span(), packed)


def _two_groups(text: bytes) -> Iterator[Maybe]:
    if b"--" in text or b"__" in text:
        for found in _TWO_GROUPS.finditer(text):
            yield (*found.span(), inet_pton(AF_INET6, b"::".join(found.groups()).decode()))


def _numbers(word: bytes) -> Iterator[bytes]:
    """Yield the addresses that a whole number or a short form can mean."""
    with suppress(ValueError, OverflowError):
        yield _short_form(word.lower().decode().split("."))
    if word.isdigit() and len(word) < 40:  # a leading zero need not mean octal
        with suppress(OverflowError):
            yield int(word).to_bytes(4 if len(word) < 13 else 16, "big")


def _short_form(parts: list[str]) -> bytes:
    """Return the address `inet_aton` reads in 203.0.28941 or 0313.0.0161.0115; the last part fills the other bytes."""
    numbers = [
        int(part, 16 if part.startswith("0x") else 8 if part.startswith("0") else 10) for part in parts
    ]
    return bytes(numbers[:-1]) + numbers[-1].to_bytes(5 - len(parts), "big")


def _windows(digits: str) -> Iterator[bytes]:
    """Yield every sequence of four or sixteen bytes in a row of hex digits."""
    for size in (8, 32):
        for start in range(len(digits) - size + 1):
            yield bytes.fromhex(digits[start : start + size])


def _without_own(text: bytes, reach: Reach) -> bytes:
    """Return a text with REMOVED in place of possible addresses in the client's network."""
    end = len(text) + 1
    for start, stop, _ in sorted([maybe for maybe in _maybes(text) if reach.covers(maybe[2])], reverse=True):
        if stop <= end:  # otherwise it overlaps one that is removed already
            text = text[:start] + REMOVED + text[stop:]
            end = start
        elif start < end:
            text = text[:start] + text[end:]
            end = start
    return text
