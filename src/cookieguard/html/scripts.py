"""Whether an inline script loads something from a held host, as far as its text tells.

A script is held only if it names a held host *and* what it names is what it loads:

1. No URL of a held host, or no loading idiom anywhere: passes. Nearly every script ends here.
2. A URL of a held host stands right behind a sink (`.src="//h"`, `fetch("//h`): held. Most loaders end here.
3. Else the literals that name a held host are followed to where they go (flows.py). Reaching a sink: held.

What is only linked to (`a.href = 'https://social.example/shop'`), compared or listed reaches no sink and passes;
the Content-Security-Policy is behind this wall for all that hides better (atob, split names).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from cookieguard.html.flows import Flow
from cookieguard.html.glances import (
    has_glue,
    has_servers,
    has_sink,
    loaded_host,
    may_have_sink,
    named_hosts,
    plain_host,
)
from cookieguard.html.hosts import BARE
from cookieguard.html.idioms import RUNS_TEXT
from cookieguard.html.known import record
from cookieguard.html.multibyte import other_readings
from cookieguard.html.openings import opened_at
from cookieguard.html.pieces import cut, literals_of
from cookieguard.html.suspects import bare_hosts, suspects
from cookieguard.html.urls import Url, parse_url, resolve

Judge = Callable[[Url], object | None]

SHORT = 1024  # bytes of a script that may be told by the one URL in it
MAX_FLOW_BYTES = 128 * 1024  # of a script that are read at a time for its flows; the longest loader has 60 KB
OVERLAP = 4 * 1024  # of two such parts
LATE_STEPS = 20_000  # of walks (reading.py) in all parts but the first
# What is read beyond the first part: where it may make what no policy stops.
UNSTOPPED = (b"frame", b"Frame", b"FRAME", b"preconnect", b"dns-prefetch", b"refresh", b"speculationrules")
STATEMENT_END = re.compile(rb"[;}\n]")
ESCAPED_SIGN = re.compile(rb"\\(.)", re.DOTALL)
# Whom WebRTC asks, and whose passkeys a script asks for: browsers then ask that host, and no policy stops either.
_NAME = rb"[\"'`]([A-Za-z0-9.\-]+(?::[0-9]{1,5})?)"
_DOTTED = rb"[\"'`]([A-Za-z0-9\-]++(?:\.[A-Za-z0-9\-]++)++)"  # what has no dot is an id of something else
# A variable, not what it has or makes. One of a letter or two is any variable of a shortened script.
_NAMED = rb"([A-Za-z_$][\w$]{2,}+)(?=\s*+[,;}\n])"
_IS = rb"[\"'`]?\]?\s*+(?:\|\||\?\?)?[:=]\s*+"
ICE_SERVER = re.compile(rb"[\"'`](?:stun|turn)s?:([A-Za-z0-9.\-]+(?::[0-9]{1,5})?)")
# To search for what begins with a word is fastest.
_PASSKEYS = (rb"rpId" + _IS, rb"\brp" + _IS + rb"\{[^{}]{0,512}?\bid" + _IS)
PASSKEYS = tuple(re.compile(one + _DOTTED) for one in _PASSKEYS)
PASSKEY_NAMES = tuple(re.compile(one + _NAMED) for one in _PASSKEYS)
# What is put behind their scheme: a literal, or what is given to one of the names in it.
JOINED_SERVER = re.compile(rb"[\"'`](?:stun|turn)s?:(?:[\"'`]\s*+\+([^,;\n\]}]{1,256})|\$\{([^{}]{1,256}))")
JOINED_LITERAL = re.compile(rb"[\"'`]" + BARE)
NAME = re.compile(rb"[A-Za-z_$][\w$]*+")
GIVEN = re.compile(rb"(?<![\w$])([A-Za-z_$][\w$]*+)" + _IS + rb"[\"'`]" + BARE)
# The same of a variable alone: keys of an object may be called anything.
SET = re.compile(rb"(?<![\w$.])([A-Za-z_$][\w$]*+)\s*+(?:\|\||\?\?)?=\s*+[\"'`]" + BARE)


def held_hosts(text: bytes, judge: Judge) -> list[Url]:
    """List the held hosts the text names, as URLs: of import maps, speculation rules, `javascript:` URLs."""
    suspicion = Suspicion(judge)
    return suspicion.found(named_hosts(text) + (_servers(text, suspicion) if has_servers(text) else []))


def loads_held(text: bytes, judge: Judge) -> list[Url]:
    """List the held hosts an executable script loads from, none if it only names them.

    >>> shop = lambda url: None if url.host == "shop.example" else "held"
    >>> [url.host for url in loads_held(b"new Image().src='//ads.example/p'", shop)]
    ['ads.example']
    >>> loads_held(b"a.href='//ads.example/p'; fetch('/cart')", shop)
    []
    """
    host = loaded_host(text) if len(text) <= SHORT else None
    url = None if host is None else _url_of(host)
    if url is not None and judge(url) is not None:
        return [url]
    found = _found_in(text, judge)
    for reading in other_readings(text) if not found else ():
        found = found or _found_in(reading, judge)
    return found


def _found_in(text: bytes, judge: Judge) -> list[Url]:
    """List the same of one reading."""
    suspicion = Suspicion(judge)
    if has_servers(text):
        servers = _servers(text, suspicion)
        if servers:
            return suspicion.found(servers)  # whatever becomes of it
    named = named_hosts(text)
    if not suspicion.holds_any(named) and not (has_glue(text) and suspicion.holds_any(bare_hosts(text))):
        return []
    read = text if len(text) <= MAX_FLOW_BYTES else text[:MAX_FLOW_BYTES]
    if not _loads(read, suspicion, text):
        return suspicion.found(named) if read is not text and _loads_later(text, suspicion) else []
    commented = suspicion.only_commented(named) if read is text else []
    return suspicion.found(named, commented) or suspicion.found(named)


def _servers(text: bytes, suspicion: Suspicion) -> list[bytes]:
    """List the held hosts that a script asks in ways no policy stops, whatever becomes of the rest."""
    named: list[bytes] = []
    if text.find(b"iceServers") >= 0:
        named += ICE_SERVER.findall(text)
        named += _joined_servers(text)
    if text.find(b"ublicKey") >= 0:  # PublicKeyCredential, too: it tells a host of passkeys that are gone
        ways = 2 if text.find(b"publicKey") >= 0 else 1  # that by `rpId` alone
        for pattern in PASSKEYS[:ways]:
            named += pattern.findall(text)
        for pattern in PASSKEY_NAMES[:ways]:
            named += _given(pattern.findall(text), SET, text)
    return [host for host in named if suspicion(host)]


def _joined_servers(text: bytes) -> list[bytes]:
    """List the hosts that are put behind the scheme of a server for WebRTC."""
    joined = [match[1] or match[2] for match in JOINED_SERVER.finditer(text)]
    if not joined:
        return []
    parts = b";".join(joined)
    return JOINED_LITERAL.findall(parts) + _given(NAME.findall(parts), GIVEN, text)


def _given(names: list[bytes], giving: re.Pattern[bytes], text: bytes) -> list[bytes]:
    """List the hosts that a script gives to these names."""
    if not names:
        return []
    known = frozenset(names)
    return [host for name, host in giving.findall(text) if name in known]


def _loads_later(text: bytes, suspicion: Suspicion) -> bool:
    """Tell whether a script makes what no policy stops beyond its first part."""
    suspicion.is_late, suspicion.steps = True, LATE_STEPS
    sure = 0  # up to where it is known which literal opened last
    for place in range(MAX_FLOW_BYTES - OVERLAP, len(text), MAX_FLOW_BYTES - OVERLAP):
        begins = STATEMENT_END.search(text, place, place + OVERLAP)
        start = begins.end() if begins else place
        part = text[start : place + MAX_FLOW_BYTES]
        if not (_may_make_more(part) and suspicion.holds_any(named_hosts(part))):
            continue
        sure = opened_at(text, sure, start)
        opening = text[sure : min(start, sure + 1 + (text[sure : sure + 1] == b"/"))]
        if _loads(opening + part, suspicion, part):
            return True
        if suspicion.steps <= 0:
            break
    return False


def _may_make_more(text: bytes) -> bool:
    """Tell whether a text may make what no policy stops."""
    for word in UNSTOPPED:  # noqa: SIM110  # as in _loads_within; and one pattern for all is far slower
        if text.find(word) >= 0:
            return True
    return False


def _loads(text: bytes, suspicion: Suspicion, whole: bytes) -> bool:
    """Tell whether code loads; `whole` is the text it is of, empty where a script has it as text."""
    if not may_have_sink(text):
        return False
    code, joined = cut(text)
    if not has_sink(code):
        return False
    if whole:
        suspicion.literals = joined
    numbers = suspects(joined, suspicion, has_glue(whole))
    if numbers and _flows(code, joined, numbers, suspicion):
        return True
    return bool(whole) and bool(numbers) and _loads_within(code, joined, numbers, suspicion)


def _flows(code: bytes, joined: bytes, numbers: list[int], suspicion: Suspicion) -> bool:
    """Tell whether one of these literals reaches a sink; all parts of a script but the first share their steps."""
    flow = Flow(code, joined)
    if not suspicion.is_late:
        return flow.reaches_a_sink(numbers)
    flow.reading.steps = suspicion.steps
    reaches = flow.reaches_a_sink(numbers)
    suspicion.steps = flow.reading.steps
    return reaches


def _loads_within(code: bytes, joined: bytes, numbers: list[int], suspicion: Suspicion) -> bool:
    """Tell whether one of these literals is run as a script, and loads."""
    inner = [
        literal
        for literal in literals_of(joined, numbers)
        if literal.find(b"(") >= 0 or literal.find(b"=") >= 0
    ]
    if not inner or not RUNS_TEXT.search(code):
        return False
    for literal in inner:  # noqa: SIM110  # what is compiled with types has no closures
        if _loads(ESCAPED_SIGN.sub(rb"\1", literal[1:-1]), suspicion, b""):
            return True
    return False


def _url_of(host: bytes) -> Url | None:
    """Make a URL of a host as a script names it."""
    plain = plain_host(host)
    if plain is None and host[:1] in HOLES:
        host = host.rpartition(b"}")[2].lstrip(b".")
        plain = plain_host(host)
    if plain is not None:
        return record(Url, (SOME_PAGE.scheme, plain, None, "/"))
    return resolve(f"//{host.decode('utf-8', 'replace')}/", SOME_PAGE)


SOME_PAGE = parse_url("https://page.invalid/")
HOLES = (b"$", b".", b"")  # what stands before the host, or a template's hole in its place


class Suspicion:
    """Judge the hosts of one script. Owns what was said about those it was asked about, and the script's literals."""

    __slots__ = ("_judge", "_known", "is_late", "literals", "steps")

    def __init__(self, judge: Judge) -> None:
        self._judge, self.literals = judge, b""
        self.is_late, self.steps = False, LATE_STEPS  # beyond the script's first part; what is left of them
        self._known: dict[bytes, Url | None] = {}

    def __call__(self, host: bytes) -> bool:
        """Tell whether a host is held."""
        return self.url(host) is not None

    def url(self, host: bytes) -> Url | None:
        """Return the URL that stands for a host where it is held, None where it is not."""
        known = self._known
        if host not in known:
            url = _url_of(host)
            known[host] = url if url is not None and self._judge(url) is not None else None
        return known[host]

    def holds_any(self, hosts: list[bytes]) -> bool:
        """Tell whether one of them is held."""
        for host in hosts:  # a generator costs more than what it would go through
            if host.isascii() and self.url(host) is not None:
                return True
        for host in hosts:  # noqa: SIM110  # a comment, most often, and to read it as a host takes far longer
            if not host.isascii() and self.url(host) is not None:
                return True
        return False

    def only_commented(self, named: list[bytes]) -> list[bytes]:
        """List the names that stand in comments only: `//like this` is none of a host."""
        for host in named:
            if host.find(b".") < 0 or not host.isascii():
                break
        else:
            return []
        live = frozenset(named_hosts(self.literals))
        return [host for host in named if host not in live]

    def found(self, named: list[bytes], but: Sequence[bytes] = ()) -> list[Url]:
        """List the held hosts among those named, and then among all it was asked about, each once."""
        gone, urls = frozenset(but), []
        hosts: dict[bytes, Url | None] = dict.fromkeys(named)
        hosts.update(self._known)
        for host in hosts:
            url = None if gone and host in gone else self.url(host)
            if url is not None:
                urls.append(url)
        return urls
