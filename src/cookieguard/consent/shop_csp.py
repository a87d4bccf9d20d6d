"""Reads from the shop's own policies how cookieguard may insert an element. The policies are never changed.

It follows CSP level 3, section 6.7: directive fallback, "does a source list allow all inline behavior", host matching.
All of a page's policies must allow the element, so one nonce has to satisfy every policy that requires one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

FALLBACKS = {
    "script": ("script-src-elem", "script-src", "default-src"),
    "style": ("style-src-elem", "style-src", "default-src"),
    "frame": ("frame-src", "child-src", "default-src"),
}
# The kinds of resources that a page loads, each with the directives that apply to it
LOADS = (
    FALLBACKS["script"],
    FALLBACKS["style"],
    ("img-src", "default-src"),
    ("connect-src", "default-src"),
    FALLBACKS["frame"],
    ("font-src", "default-src"),
    ("media-src", "default-src"),
)
ASCII_SPACE = "\t\n\f\r "
NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
HASH = re.compile(r"'sha(256|384|512)-[A-Za-z0-9+/_-]+={0,2}'", re.IGNORECASE)
SCHEME_SOURCE = re.compile(r"([a-z][a-z0-9+.-]*):")
HOST_SOURCE = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)"
    r"(?::(?P<port>\d+|\*))?(?P<path>/\S*)?",
    re.IGNORECASE,
)
DEFAULT_PORT = {"http": 80, "https": 443}
# The schemes that a source's scheme covers: itself and its secure form
UPGRADES = {"http": {"http", "https"}, "https": {"https"}}
# Real policies have far fewer sources. The limit keeps a hostile header cheap.
MAX_SOURCES = 2000


class Way(StrEnum):
    """The ways to insert an element, best first."""

    NONCE = "nonce"
    INLINE = "inline"
    FILE = "file"
    LATER = "later"  # as a file that an inline script loads, only if the shop has no policy
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How one kind of element may be inserted. A `nonce` that is not empty must be set on it."""

    way: Way
    nonce: str = ""


INLINE = Allowance(Way.INLINE)
LATER = Allowance(Way.LATER)
NOT_AT_ALL = Allowance(Way.NONE)


@dataclass(frozen=True, slots=True)
class _ElementSources:
    """The sources that one policy allows for one kind of element."""

    nonces: tuple[str, ...]
    allows_inline: bool
    allows_file: bool

    def allows(self, way: Way, nonce: str) -> bool:
        if nonce and nonce in self.nonces:
            return True
        return self.allows_file if way is Way.FILE else self.allows_inline


def allowance(
    headers: Sequence[str], kind: str, *, origin: str, path: str = "/_cg/", metas: Sequence[str] = ()
) -> Allowance:
    """Return how an element of `kind` ("script", "style" or "frame") may be inserted under all of the shop's policies.

    `headers` are the values of Content-Security-Policy headers, each a comma-separated list. `metas` are the contents
    of `<meta>` policies. `origin` is the page's, and `path` that of cookieguard's file. The order of preference is a
    nonce that every policy accepts, the shop's own `'unsafe-inline'` (or no policy), a file, and no element at all.
    """
    policies = [policy for header in headers for policy in header.split(",")] + list(metas)
    asked = [
        sources
        for sources in (_read(policy, kind, origin, path) for policy in policies)
        if sources is not None
    ]
    nonces = list(dict.fromkeys(nonce for sources in asked for nonce in sources.nonces))
    tries = [(Way.NONCE, nonce) for nonce in nonces]
    tries += [(Way.INLINE, ""), (Way.FILE, ""), *((Way.FILE, nonce) for nonce in nonces)]
    for way, nonce in tries:
        if all(sources.allows(way, nonce) for sources in asked):
            return Allowance(way, nonce)
    return NOT_AT_ALL


def admits(headers: Sequence[str], host: str) -> bool:
    """Return whether the shop's policies allow a page to load something from a host, or from one under `*.host`.

    Paths are ignored. A nonce, a hash and 'strict-dynamic' count as allowing any host, because a tag may have them.
    """
    policies = [_directives(policy) for header in headers for policy in header.split(",")]
    return any(all(_admits(policy, names, host) for policy in policies) for names in LOADS)


def lets_answer(headers: Sequence[str], *, origin: str, path: str) -> bool:
    """Return whether the shop's policies allow forms of the page to post to `path`; `form-action` has no fallback."""
    policies = [_directives(policy) for header in headers for policy in header.split(",")]
    return all(
        ("sandbox" not in policy or "allow-forms" in map(str.lower, policy["sandbox"]))
        and (
            "form-action" not in policy
            or any(_covers(source, origin, path) for source in policy["form-action"])
        )
        for policy in policies
    )


def _admits(directives: dict[str, list[str]], names: Sequence[str], host: str) -> bool:
    governing = next((name for name in names if name in directives), None)
    if governing is None:
        return True
    return any(_reaches(source, host) for source in directives[governing])


def _reaches(source: str, host: str) -> bool:
    """Return whether a source allows a host, or one of the hosts that the pattern `*.host` includes."""
    word = source.lower()
    if NONCE.fullmatch(source) or HASH.fullmatch(source) or word in ("'strict-dynamic'", "*", "https:"):
        return True
    found = HOST_SOURCE.fullmatch(word)
    if found is None:
        return False
    bare = host.removeprefix("*.")
    return _host_covers(found["host"], bare) or (
        host != bare and f".{found['host'].removeprefix('*.')}".endswith(f".{bare}")
    )


def _read(policy: str, kind: str, origin: str, path: str) -> _ElementSources | None:
    """Return the sources that one policy allows for this kind; None if it does not restrict the kind."""
    directives = _directives(policy)
    governing = next((name for name in FALLBACKS[kind] if name in directives), None)
    if governing is None:
        return None
    sources = directives[governing]
    return _ElementSources(
        nonces=tuple(match[1] for match in map(NONCE.fullmatch, sources) if match),
        allows_inline=_allows_inline(sources, kind),
        allows_file=_allows_file(sources, kind, origin, path),
    )


def _directives(policy: str) -> dict[str, list[str]]:
    directives: dict[str, list[str]] = {}
    for text in policy.split(";"):
        words = text.strip(ASCII_SPACE).split(None, MAX_SOURCES)
        # If a directive is repeated, the first one counts.
        if words and text.isascii():
            directives.setdefault(words[0].lower(), words[1:])
    return directives


def _allows_inline(sources: Iterable[str], kind: str) -> bool:
    words = [source.lower() for source in sources]
    if any(NONCE.fullmatch(word) or HASH.fullmatch(word) for word in words):
        return False
    if kind == "script" and "'strict-dynamic'" in words:
        return False
    return "'unsafe-inline'" in words


def _allows_file(sources: Iterable[str], kind: str, origin: str, path: str) -> bool:
    words = [source.lower() for source in sources]
    # Under 'strict-dynamic' the host list is ignored for scripts.
    if kind == "script" and "'strict-dynamic'" in words:
        return False
    return any(_covers(source, origin, path) for source in sources)


def _covers(source: str, origin: str, path: str) -> bool:
    word = source.lower()
    page = urlsplit(origin)
    if word in ("'self'", "*"):
        return True
    if scheme := SCHEME_SOURCE.fullmatch(word):
        return page.scheme in UPGRADES.get(scheme[1], ())
    host = HOST_SOURCE.fullmatch(source)
    if host is None:
        return False
    scheme_text = (host["scheme"] or page.scheme).lower()
    return (
        page.scheme in UPGRADES.get(scheme_text, ())
        and _host_covers(host["host"].lower(), page.hostname or "")
        and _port_covers(host["port"], page.port, page.scheme)
        and _path_covers(host["path"], path)
    )


def _host_covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*"):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return pattern == host


def _port_covers(pattern: str | None, port: int | None, scheme: str) -> bool:
    actual = port or DEFAULT_PORT[scheme]
    if pattern is None:
        return actual == DEFAULT_PORT[scheme]
    # A source of port 80 covers its own upgrade to 443.
    return pattern == "*" or int(pattern) == actual or (int(pattern), actual) == (80, 443)


def _path_covers(pattern: str | None, path: str) -> bool:
    if not pattern or pattern == "/":
        return True
    wanted = unquote(pattern)
    return path.startswith(wanted) if wanted.endswith("/") else path == wanted
