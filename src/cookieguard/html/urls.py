"""The parser of URLs: it finds the host that a reference reaches, as browsers do (WHATWG URL).

Rule: text in, a `Url` out, or None if the reference cannot reach a host over the network (data:, blob:, javascript:,
mailto:, an invalid host). This module knows no HTML, so the caller decodes character references.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from cookieguard.html.fast.answers import record
from cookieguard.html.fast.byte_search import LONGEST_HOST, plain_services
from cookieguard.html.legacy_encodings import other_url

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
WEB = frozenset({"http", "https"})

C0_OR_SPACE = "".join(map(chr, range(0x21)))
REMOVED = str.maketrans("", "", "\t\n\r")
SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
SLASHES = re.compile(r"[/\\]*")
AUTHORITY = re.compile(r"[^/\\?#]*")
PATH = re.compile(r"[^?#]*")
LOCAL = re.compile(r"/(?![/\\])(?:[^\\\t\n\r\x00-\x20./]|(?<!/)\.|/(?!\.|%2))*+\Z")
# WHATWG URL, forbidden domain code points. Quotes, backquotes and braces are allowed, and Chromium looks them up.
FORBIDDEN_IN_HOST = re.compile("[\x00-\x20#%/:<>?@\\[\\\\\\]^|\x7f]")
ENDS_IN_NUMBER = re.compile(r"(?:\A|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?\Z")
# Code points that UTS 46 removes, and those that it maps to the dot between labels.
IDNA_MAP = dict.fromkeys([0xAD, 0x34F, 0x180B, 0x180C, 0x180D, 0x180F, 0x2060, 0x2064, 0xFEFF, 0x200B])
IDNA_MAP |= dict.fromkeys(range(0xFE00, 0xFE10))
DOTS = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
# RFC 1035 2.3.4. A longer label is not encoded, because normalization and Punycode take quadratic time (7.5 s for 8,000
# different letters). NFKC makes one character of at most four.
LONGEST_LABEL, MOST_COMPOSED = 63, 4
OVERLONG = "overlong.invalid"  # replaces a longer name; it is undeclared, so it is held


class Url(NamedTuple):
    """The URL that a reference reaches. `port` is None if it is the scheme's default."""

    scheme: str
    host: str
    port: int | None
    path: str


def parse_url(text: str) -> Url:
    """Return an absolute http(s) URL, such as a page's own, in parts; raise ValueError for anything else."""
    found = readings(text, Url("about", "", None, "/"))
    if not found or found[0].scheme not in DEFAULT_PORTS:
        raise ValueError(f"not an http(s) URL: {text[:80]!r}")
    return found[0]


def resolve(reference: str, base: Url) -> Url | None:
    """Return the URL that `reference` reaches on a page at `base`, or None if it reaches no host.

    >>> resolve("/\\\\ads.example/x", parse_url("https://shop.example/a/b")).host
    'ads.example'
    """
    found = readings(reference, base)
    return found[0] if found else None


def readings(reference: str, base: Url) -> tuple[Url, ...]:
    """Return all URLs that browsers may read in `reference`, the likely one first.

    `https:x` has two: it is relative on a page loaded over https, and absolute on one loaded over http. If TLS ends
    at a proxy, the scheme of the page is not known for sure.
    """
    if reference[:5] == "data:":  # a shortcut, because these are often long
        return ()
    other = other_url(reference)
    return _readings(reference, base) + (_readings(other, base) if other != reference else ())


def _readings(reference: str, base: Url) -> tuple[Url, ...]:
    plain = plain_services(reference)
    if plain is not None:
        return (record(Url, (plain[0] or base.scheme, plain[1], None, plain[2])),)
    if LOCAL.match(reference) and base.host:
        path = reference.partition("?")[0].partition("#")[0]
        return (record(Url, (base.scheme, base.host, base.port, path)),)
    text = reference.strip(C0_OR_SPACE)
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.translate(REMOVED)
    named = SCHEME.match(text)
    if named is None:
        return _of_scheme(base.scheme, text, base, relative=True, absolute=False)
    scheme = named[1].lower()
    if scheme not in DEFAULT_PORTS:
        return ()
    related = scheme == base.scheme or {scheme, base.scheme} <= WEB
    found = _of_scheme(scheme, text[named.end() :], base, relative=related, absolute=True)
    return found[::-1] if scheme == base.scheme else found


def _of_scheme(scheme: str, rest: str, base: Url, *, relative: bool, absolute: bool) -> tuple[Url, ...]:
    slashes = SLASHES.match(rest).end()  # type: ignore[union-attr]  # matches always
    found: list[Url | None] = []
    if slashes >= 2 or absolute:
        found.append(_with_authority(scheme, rest[slashes:]))
    if slashes < 2 and relative:
        found.append(_relative(rest, base))
    return tuple(url for url in found if url)


def _relative(rest: str, base: Url) -> Url | None:
    if not base.host:
        return None
    path = PATH.match(rest)[0].replace("\\", "/")  # type: ignore[index]  # matches always
    if not path:
        return base
    if not path.startswith("/"):
        path = base.path[: base.path.rfind("/") + 1] + path
    return record(Url, (base.scheme, base.host, base.port, _without_dots(path)))


def _with_authority(scheme: str, rest: str) -> Url | None:
    authority = AUTHORITY.match(rest)[0]  # type: ignore[index]  # matches always
    path = PATH.match(rest, len(authority))[0].replace("\\", "/")  # type: ignore[index]
    host, port = authority.rpartition("@")[2], ""
    colon = host.rfind(":")
    if colon > host.rfind("]"):
        host, port = host[:colon], host[colon + 1 :]
    name = _host(host)
    number = _port(port, DEFAULT_PORTS[scheme])
    if name is None or number == -1:
        return None
    return record(Url, (scheme, name, number, _without_dots(path or "/")))


def _port(text: str, default: int) -> int | None:
    """Return the port, None if it is the default, or -1 if it is invalid."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text.lstrip("0")) > 5:
        return -1
    port = int(text)
    if port > 65535:
        return -1
    return None if port == default else port


def _without_dots(path: str) -> str:
    if "/." not in path and "/%2" not in path:
        return path
    kept = [""]
    plain = ""
    for segment in path.split("/")[1:]:
        plain = segment.lower().replace("%2e", ".") if "%" in segment else segment
        if plain == "..":
            if len(kept) > 1:
                kept.pop()
        elif plain != ".":
            kept.append(segment)
    if plain in (".", ".."):
        kept.append("")
    return "/".join(kept)


def _host(text: str) -> str | None:
    """Return the host in its normal form, or None if no browser would look it up."""
    if text.startswith("["):
        return _ipv6(text)
    if "%" in text:
        # surrogatepass: invalid UTF-8 arrives as single surrogates, which must not raise an error
        text = unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    name = text.lower() if text.isascii() else _domain_to_ascii(text)
    if not name or FORBIDDEN_IN_HOST.search(name):
        return None
    if ENDS_IN_NUMBER.search(name):
        return _ipv4(name)
    return (name.removesuffix(".") or None) if len(name) <= LONGEST_HOST else OVERLONG


def _domain_to_ascii(text: str) -> str:
    """Return a host that is not ASCII in its ASCII form, as UTS 46 maps it (non-transitional)."""
    plain = text.translate(IDNA_MAP).translate(DOTS)
    if len(plain) > LONGEST_HOST * MOST_COMPOSED:
        return OVERLONG
    mapped = unicodedata.normalize("NFKC", plain.lower())
    labels = unicodedata.normalize("NFC", mapped.lower()).translate(DOTS).translate(IDNA_MAP).split(".")
    if max(map(len, labels)) > LONGEST_LABEL:
        return OVERLONG
    try:
        return ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels
        )
    except UnicodeError:
        return ""


def _ipv6(text: str) -> str | None:
    if not text.endswith("]"):
        return None
    try:
        return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]" if "%" not in text else None
    except ValueError:
        return None


def _ipv4(name: str) -> str | None:
    """Return the IPv4 address that a number form means, such as `127.1`, `0x7f.0.0.1` or `2130706433`."""
    parts = name.removesuffix(".").split(".")
    try:
        numbers = [_ipv4_number(part) for part in parts]
    except ValueError:
        return None
    last = numbers.pop()
    if len(numbers) > 3 or any(n > 255 for n in numbers) or last >= 256 ** (4 - len(numbers)):
        return None
    for place, number in enumerate(numbers):
        last += number * 256 ** (3 - place)
    return str(ipaddress.IPv4Address(last))


def _ipv4_number(part: str) -> int:
    if len(part) > 40 or not part:
        raise ValueError("no number")
    if part.startswith("0x"):
        if not re.fullmatch("[0-9a-f]*", part[2:]):
            raise ValueError("no number")
        return int(part[2:] or "0", 16)
    if not part.isdigit():
        raise ValueError("no number")
    return int(part, 8) if len(part) > 1 and part.startswith("0") else int(part)
