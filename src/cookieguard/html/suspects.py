"""Which literals of a script may be the URL of a held host, or markup, a sheet or a script with one in it.

A literal that only mentions a URL (`"see https://..."`, `"/cart?ref=https://..."`, `<a href="https://...">`) is none.
`suspects.pyx` says the same in C.
"""

from __future__ import annotations

from collections.abc import Callable

from cookieguard.html.glances import host_places
from cookieguard.html.hosts import BARE, VOCABULARIES
from cookieguard.html.pieces import MARK
from cookieguard.html.quick import quick

IsHeld = Callable[[bytes], bool]

BARE_HOST = quick(MARK + rb"[\"'`](?:\$\{[^{}]{0,256}\}|)\.?" + BARE)
BARE_LITERAL = quick(rb"[\"'`}]\.?" + BARE)

# What stands before the slashes where the literal begins with the URL: the scheme or its end, holes.
BEGINS = quick(rb"[\"'`]\s*+(?:\$\{[^{}]*+\})*+(?:[A-Za-z]{0,10}+:|)[\\/]*+")
# The same where letters and signs of it are spelled with escapes.
BEGINS_ESCAPED = quick(rb"[\"'`](?=[A-Za-z:/]{0,16}+\\[xu])[A-Za-z0-9:/\\]{1,80}+")
# The same within text that is markup, style sheet, script or JSON; backwards, from the slashes on.
QUOTED = quick(
    rb"[\\/]*+(?::[A-Za-z]{0,10}+)?\s*+(?:[\"'`(]|,\s*+[wx][0-9.]|=\s*+(?:crs|tescrs|ferh|atad|retsop|lru|noitca)(?:[\s;\"'`<]|\Z))"
)
IN_BRACKETS = quick(rb"[\\/]*+(?::[A-Za-z]{0,10}+)?[\"'\\\s]*+\(")
LOOK_BACK = 64
MARKUP = quick(rb"<\\?/?([A-Za-z][\w\-]*+)")
ONLY_MENTIONS = frozenset(b"a area form blockquote q cite del ins".split())  # until somebody clicks
MAX_SUSPECTS = 500


def bare_hosts(text: bytes) -> list[bytes]:
    """List the hosts that literals may begin with, without slashes, each once."""
    return list(dict.fromkeys(BARE_LITERAL.findall(text)))


def suspects(joined: bytes, is_held: IsHeld, glues: bool) -> list[int]:  # noqa: FBT001  # compiled
    """List the numbers of the suspect literals, at most MAX_SUSPECTS; a MARK leads each."""
    found: list[int] = []
    counted = number = 0
    places = [place for place, host in host_places(joined) if _is_suspect(joined, place, host, is_held)]
    if glues:
        places += [match.start(1) for match in BARE_HOST.finditer(joined) if is_held(match[1])]
    for place in sorted(places):
        number += joined.count(MARK, counted, place)
        counted = place
        if not found or found[-1] != number - 1:
            found.append(number - 1)
            if len(found) >= MAX_SUSPECTS:
                break
    return found


def _is_suspect(joined: bytes, place: int, host: bytes, is_held: IsHeld) -> bool:
    return is_held(host) and host not in VOCABULARIES and _may_load(joined, place)


def _may_load(joined: bytes, place: int) -> bool:
    """Tell whether the URL at `place` may be what is loaded, by what stands before it in its literal."""
    start = joined.rfind(MARK, 0, place) + 1
    if BEGINS.fullmatch(joined, start, place) or BEGINS_ESCAPED.fullmatch(joined, start, place):
        return True
    before = joined[max(start, place - LOOK_BACK) : place][::-1]
    tag_at = joined.rfind(b"<", start, place)
    tag = MARKUP.match(joined, tag_at, place) if tag_at >= 0 else None
    if tag is None or joined.find(b">", tag_at, place) >= 0:
        return QUOTED.match(before) is not None
    return tag[1].lower() not in ONLY_MENTIONS or IN_BRACKETS.match(before) is not None
