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
from collections.abc import Callable
from itertools import islice

from cookieguard.html.flows import Flow
from cookieguard.html.hosts import HOST, named_hosts
from cookieguard.html.urls import Url, parse_url, resolve

Judge = Callable[[Url], object | None]

IDIOM = re.compile(
    rb"createElement|\bsrc|setAttribute|Image|sendBeacon|fetch|XMLHttp|import|rite\(|riteln\(|insertAdj|innerHTML|"
    rb"outerHTML|EventSource|WebSocket|Worker|ajax|axios|getScript|getJSON|\.get\(|\.post\(|oad|nject|cript|eacon|"
    rb"ixel|require|append|\.html\(|createContextual|parseFromString|ackground|cssText|insertRule|FontFace|\.open\("
)
GLUE = re.compile(rb"//(?:[A-Za-z0-9\-]+\.?)?[\"'`]|:[\"']")  # a scheme that waits for its host
BARE_LITERAL = re.compile(rb"[\"'`}]\.?((?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,24})(?=[/:?\"'`])")
DIRECT = re.compile(
    rb"(?:\.src\s*=\s*|(?<![\w$])(?:fetch|sendBeacon|importScripts|import|Worker|WebSocket|EventSource|getScript)\(\s*|"
    rb"(?:\A|[;\n}])\s*(?:import|export)\b[^;\"'`()]*)[\"'`](?:https?:|wss?:)?\\?\Z"
)
LOOK_BACK = 256
MAX_DIRECT = 500  # places of held hosts looked at for a sink right before them
MAX_FLOW_BYTES = 128 * 1024  # of a script that are read for its flows; the longest loader seen has 60 KB


def held_hosts(text: bytes, judge: Judge) -> list[Url]:
    """List the held hosts the text names, as URLs: of import maps, speculation rules, `javascript:` URLs."""
    urls = (_url_of(host) for host in named_hosts(text))
    return [url for url in urls if url and judge(url)]


def loads_held(text: bytes, judge: Judge) -> list[Url]:
    """List the held hosts an executable script loads from, none if it only names them.

    >>> shop = lambda url: None if url.host == "shop.example" else "held"
    >>> [url.host for url in loads_held(b"new Image().src='//ads.example/p'", shop)]
    ['ads.example']
    >>> loads_held(b"a.href='//ads.example/p'; fetch('/cart')", shop)
    []
    """
    if b"/" not in text:
        return []
    suspicion = Suspicion(judge)
    hosts = {host for host in named_hosts(text) if suspicion(host)}
    if not hosts and not (
        GLUE.search(text) and any(map(suspicion, dict.fromkeys(BARE_LITERAL.findall(text))))
    ):
        return []
    if not IDIOM.search(text):
        return []
    if _is_direct(text, hosts) or Flow(text[:MAX_FLOW_BYTES], suspicion).reaches_a_sink():
        return suspicion.found
    return []


def _is_direct(text: bytes, hosts: set[bytes]) -> bool:
    named = (match for match in HOST.finditer(text) if match[1] in hosts)
    for match in islice(named, MAX_DIRECT):
        if DIRECT.search(text, max(0, match.start() - LOOK_BACK), match.start()):
            return True
    return False


def _url_of(host: bytes) -> Url | None:
    """Make a URL of a host as a script names it."""
    name = host.rpartition(b"}")[2].lstrip(b".").decode("utf-8", "replace")
    return resolve(f"//{name}/", SOME_PAGE)


SOME_PAGE = parse_url("https://page.invalid/")


class Suspicion:
    """Judge the hosts of one script. Owns the list of the held ones it was asked about."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[bytes, bool] = {}
        self.found: list[Url] = []

    def __call__(self, host: bytes) -> bool:
        """Tell whether a host is held."""
        known = self._known.get(host)
        if known is None:
            url = _url_of(host)
            known = self._known[host] = url is not None and self._judge(url) is not None
            if url is not None and known:
                self.found.append(url)
        return known
