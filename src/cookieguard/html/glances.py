"""What a look at the bytes of a script, a tag or a sheet tells, before it is read.

Rule: text in, an answer out that is never "no" where it should be "yes". `glances.pyx` says the same in C.
"""

from __future__ import annotations

import re

from cookieguard.html.grammar import TAG_NAME
from cookieguard.html.hosts import ESCAPED_HOST, ESCAPED_SLASH, HOST, NAMESPACES, PLAIN_NAME, VOCABULARIES
from cookieguard.html.idioms import SINKS, SINKS_IN_TEXT, WORDS_IN_TEXT
from cookieguard.html.pieces import MARK
from cookieguard.html.quick import quick

# A scheme that waits for its host: behind the literal, or in a hole of the template, but for the page's own.
GLUE_SLASHES = quick(
    rb"/\\?/(?:[A-Za-z0-9\-]{1,63}+\.?+|)(?:[\"'`]|\$\{(?!(?:window\.)?location\.host(?:name)?\}))"
)
GLUE_SCHEME = quick(rb"ttps?:[\"'`]")
# A script with one URL in it, a plain one, that a property takes which loads it: code and literals without slashes, or
# anything that would make them hard to tell apart, before and behind that.
_PLAIN_CODE = rb"(?:[^\"'`/\\\x01]++|(?<![ps]:)(?:\"[^\"/\\\n\x01]*+(?<!:)\"|'[^'/\\\n\x01]*+(?<!:)'))*+"
_IN_URL = rb"[^\"'`/\\\s@\x01]*+"
LOADS_AT_ONCE = quick(
    _PLAIN_CODE
    + rb"(?:(?<=\.src=)|(?<=\.src = ))([\"'])(?:https?:)?//("
    + PLAIN_NAME
    + rb")(?=[/?#\"'])"
    + _IN_URL
    + rb"(?:/"
    + _IN_URL
    + rb")*+(?<!:)\1"
    + _PLAIN_CODE
    + rb"\Z"
)
FEW = 16  # signs that are found alone
SPARSE = 200  # bytes from one bracket to the next in data, on average; code has more of them
# A character of two bytes whose second would count, were it a sign of its own.
PAIR = re.compile(rb"[\x81-\xfe][\\`]")
ICE_SERVERS, PASSKEY = b"iceServers", b"ublicKey"  # the key `publicKey`, and PublicKeyCredential
KEY_AT = PASSKEY.find(b"K")
META_WORDS = (b"-equiv", b"referrer", b"2022", b"-2312", b"replacement", b"&#")
COLON, AMPERSAND, BACKSLASH = b":&\\"
PLAIN_HOST = quick(rb"(?!\.)(?:[\w.\-]*\.|)[A-Za-z_\-][\w\-]*")
# The plain case of a URL, nine of ten references: no user, no port, nothing to decode, no dot segment.
PLAIN = re.compile(r"(?:(https?:)|)//((?:[a-z0-9\-]++\.)++[a-z]{2,24})(?:(/[^?#\\%\t\n\r]*)|[?#]|\Z)")


def named_hosts(text: bytes) -> list[bytes]:
    """List the hosts a script names, each once."""
    found = HOST.findall(text)
    if BACKSLASH in text and ESCAPED_SLASH.search(text):
        found += ESCAPED_HOST.findall(text)
    return list(dict.fromkeys(found))


def host_places(text: bytes) -> list[tuple[int, bytes]]:
    """List where hosts are named, from the slashes on, with their names."""
    places = [(match.start(), match[1]) for match in HOST.finditer(text)]
    if BACKSLASH in text and ESCAPED_SLASH.search(text):
        places += [(match.start(), match[1]) for match in ESCAPED_HOST.finditer(text)]
    return places


def loaded_host(text: bytes) -> bytes | None:
    """Return the host of the one URL in a short script, where that is loaded for sure; None: it takes a closer look.

    No other host is named, no part of one glued to a scheme.
    """
    slashes = text.find(b"//")  # nearly all that it does not tell of have none, more of them, or no `src`
    if slashes < 0 or text.find(b"//", slashes + 2) >= 0 or text.find(b".src") < 0:
        return None
    loads = LOADS_AT_ONCE.match(text)
    if loads is None or has_servers(text):
        return None
    host = loads[2]
    return None if host in VOCABULARIES or host == NAMESPACES else host


def names_nobody(data: bytes, start: int, stop: int) -> bool:
    """Tell whether a script, data[start:stop], can name no other host: every way to takes one of these.

    A sheet could say `url(http:host)`.
    """
    if data.find(b"/", start, stop) >= 0 or data.find(b"\\", start, stop) >= 0:
        return False
    return data.find(b"&", start, stop) < 0 and not _has_servers(data, start, stop)


def plain_host(name: bytes) -> str | None:
    """Return a host that is compared as it stands but for its case; None where it takes a closer look."""
    return name.decode("ascii").lower() if PLAIN_HOST.fullmatch(name) else None


def has_servers(text: bytes) -> bool:
    """Tell whether a script names servers for WebRTC, or whose passkeys it asks for."""
    return _has_servers(text, 0, len(text))


def _has_servers(data: bytes, start: int, stop: int) -> bool:
    if data.find(ICE_SERVERS, start, stop) >= 0:
        return True
    at = data.find(b"K", start + KEY_AT, stop)  # a rare letter: most scripts have none
    for _ in range(FEW):
        if at < 0 or data.startswith(PASSKEY, at - KEY_AT, stop):
            return at >= 0
        at = data.find(b"K", at + 1, stop)
    return at >= 0 and data.find(PASSKEY, at - KEY_AT, stop) >= 0


def has_glue(text: bytes) -> bool:
    """Tell whether a host may be put behind a scheme somewhere in a script."""
    return GLUE_SLASHES.search(text) is not None or GLUE_SCHEME.search(text) is not None


def has_sink(code: bytes) -> bool:
    """Tell whether a script's code has anything that loads."""
    back = code[::-1]
    for sink in SINKS:  # noqa: SIM110  # a generator costs more than the search, in most scripts
        if sink.search(back):
            return True
    return False


def has_pairs(text: bytes) -> bool:
    """Tell whether a text that is no UTF-8 has bytes that are a character in other encodings, and a sign alone."""
    if text.isascii() or _is_utf_8(text):  # the search takes longest
        return False
    return PAIR.search(text) is not None


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def may_have_sink(text: bytes) -> bool:
    """Tell whether the code of a script may have a sink, as far as its text tells; where it holds many calls, yes.

    To cut the code out of what a page prints as data takes longest of all.
    """
    if text.count(b"(") * SPARSE > len(text) or text.find(MARK) >= 0:
        return True
    back = text[::-1]
    for sink in SINKS_IN_TEXT:
        if sink.search(back):
            return True
    return WORDS_IN_TEXT.search(text) is not None


def may_reach_others(raw: bytes) -> bool:
    """Tell whether a reference in a tag may leave the page's own origin.

    Tabs and newlines go from URLs: `/<tab>/host`.
    """
    return (
        COLON in raw  # a number is found at once: between bytes, `in` first makes and drops an error
        or AMPERSAND in raw
        or BACKSLASH in raw
        or raw.find(b"//") >= 0
        or raw.find(b"/\n") >= 0
        or raw.find(b"/\t") >= 0
        or raw.find(b"/\r") >= 0
    )


def meta_counts(raw: bytes) -> bool:
    """Tell whether a meta element is a refresh, a policy, about referrers or a charset that shifts.

    The last may be spelled by references.
    """
    raw = raw.lower()
    return any(word in raw for word in META_WORDS)


def name_of(raw: bytes) -> tuple[bytes, int]:
    """Return the name of a tag in lower case, and where it ends."""
    match = TAG_NAME.match(raw)
    assert match is not None  # noqa: S101  # the caller matched a tag
    return match[2].lower(), match.end()


def plain_parts(reference: str) -> tuple[str, str, str] | None:
    """Return scheme ("" for the page's), host and path of a plain URL; None where it takes a closer look."""
    plain = PLAIN.match(reference)
    if plain is None or "/." in (path := plain[3] or "/"):
        return None
    return (plain[1][:-1] if plain[1] else ""), plain[2], path
