"""Reduces a User-Agent to browser, major version and system, as browsers have begun to do themselves.

Together with a network, the model and build of a telephone can identify one person for as long as a log is kept. A
bot's name and address are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache

AGENTS_KEPT = 1024
# Products with the same version in all browsers, which therefore reveal nothing
FROZEN = frozenset({b"mozilla", b"applewebkit", b"safari", b"gecko", b"mobile"})
_COMMENT = re.compile(rb" ?\(([^()]*)\)")
# Apps with a built-in browser write [name; version; model; carrier].
_BRACKET = re.compile(rb"\[([^\[\];]*);[^\[\]]*\]")
_PRODUCT = re.compile(rb"([A-Za-z][\w.+-]*)/([0-9]+\.[0-9]+)((?:\.[0-9]+)+)")
_BOT = re.compile(rb"https?:|@|bot\b|crawl|spider|compatible", re.I)
_PLATFORM = re.compile(
    rb"khtml, like gecko|x11|u|k|wv|mobile|tablet|touch|macintosh|iphone|ipad|ipod(?: touch)?|android|win64|wow64|x64|"
    rb"windows(?: nt [0-9.]+| phone [0-9.]+)?|(?:ubuntu|fedora|debian|linux)(?: (?:x86_64|i686|aarch64|arm\w*))?|"
    rb"intel mac os x 10_15_7|trident/[0-9.]+|rv:[0-9.]+",
    re.I,
)
# Systems whose version is shortened
_SYSTEM = re.compile(
    rb"(android [0-9]+|intel mac os x [0-9]+[._][0-9]+|cpu (?:iphone )?os [0-9]+_[0-9]+)(?:[._][0-9]+)*"
    rb"( like mac os x)?|(cros \w+ [0-9]+)[.0-9]*",
    re.I,
)


@lru_cache(maxsize=AGENTS_KEPT)
def reduced(agent: bytes) -> bytes:
    """Return a User-Agent without models, builds and small versions.

    >>> reduced(b"Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005) Chrome/131.0.6778.86")
    b'Mozilla/5.0 (Linux; Android 14) Chrome/131.0.0.0'
    """
    if _BOT.search(agent):
        return agent
    agent = _BRACKET.sub(rb"[\1]", _COMMENT.sub(_cut_comment, agent))
    return _PRODUCT.sub(_cut_version, agent)


def _cut_comment(found: re.Match[bytes]) -> bytes:
    parts = [kept for part in found[1].split(b";") if (kept := _reduced_part(part.strip()))]
    return found[0][: found[0].index(b"(") + 1] + b"; ".join(parts) + b")" if parts else b""


def _reduced_part(part: bytes) -> bytes:
    if _PLATFORM.fullmatch(part):
        return part
    system = _SYSTEM.fullmatch(part)
    if system is None:
        return b""
    return system[3] + b".0.0" if system[3] else system[1] + (system[2] or b"")


def _cut_version(found: re.Match[bytes]) -> bytes:
    if found[1].lower() in FROZEN:
        return found[0]
    return b"%b/%b%b" % (found[1], found[2], b".0" * found[3].count(b"."))
