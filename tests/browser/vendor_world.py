"""Servers for the replays of vendors: their scripts under their own host names, and a shop of one page for each.

A vendor is a table in `vendors/`, named as the catalogue has it:

head, body   what its documentation has a page hold, beside what a shop writes there
shop         what the shop does then: a function's body; what it returns is the same whatever the visitor chose
shows        what the page shows where the vendor is let in
loads        the vendor's files by address; what else its hosts are asked for is an empty picture or page
"""

from __future__ import annotations

import json
import ssl
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import trustme
from harness.browser import counting, wait_until_quiet
from harness.servers import serving

from cookieguard import Config, CookieGuard, Vendor

from .others import ERRANDS
from .tiny import TinyShop, page

CATALOGUE = Path(__file__).parents[2] / "static" / "vendors"
OWN_KEYS = frozenset({"cart"})
SHOP = """<script>
const later = ms => new Promise(go => setTimeout(go, ms, "too late"));
const until = async isThere => { for (let n = 0; n < 600; n++) { if (isThere()) return; await later(10); }
  throw Error("never: " + isThere); };
const cart = {count: 0, add() {
  this.count++; localStorage.setItem("cart", this.count); document.cookie = "cart=1; path=/"; }};
const shopping = () => Promise.race([(async () => {%s})(), later(20000)]);
</script>"""
SDK = """(() => { let count = 0; const at = new URL("told", document.currentScript.src);
const word = x => typeof x == "function" ? "f" : typeof x == "object" ? JSON.stringify(x) : x;
const tell = (...call) => { fetch(at, {method: "POST", mode: "no-cors", keepalive: true,
  body: JSON.stringify([location.pathname, count++, call.map(word).join(" ")])}); };
const keep = name => { document.cookie = name + "=1; path=/; max-age=9999"; localStorage.setItem(name, "1"); };
const pixel = src => { new Image().src = src; };
%s
})();"""
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


@dataclass(frozen=True)
class Replay:
    """A vendor of the catalogue, as a page embeds it."""

    name: str
    purpose: str
    hosts: tuple[str, ...]
    keys: tuple[str, ...]
    loads: dict[str, str]
    shop: str
    head: str = ""
    body: str = ""
    shows: str = "0"

    @property
    def page(self) -> str:
        """Write the shop's page; the shop's code stands before the vendor's."""
        return page(SHOP % self.shop + self.head, self.body)


def _read() -> Iterator[Replay]:
    known: dict[str, Any] = {}
    for path in CATALOGUE.glob("*.toml"):
        known |= tomllib.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parent / "vendors").glob("*.toml")):
        for name, table in tomllib.loads(path.read_text("utf-8")).items():
            entry = known[name]
            keys = tuple(one["name"] for one in entry.get("cookies", ()) if one.get("on") != "vendor")
            yield Replay(name, entry["purpose"], tuple(entry["hosts"]), keys, **table)


REPLAYS = {one.name: one for one in _read()}


def vendor_of(address: str) -> Replay:
    """Return whose an address (`host/path`) is."""
    host = address.partition("/")[0]

    def covers(pattern: str) -> bool:
        if "/" in pattern:
            return address.startswith(pattern)
        return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))

    return next(one for one in REPLAYS.values() if any(covers(pattern) for pattern in one.hosts))


def vendor_of_key(name: str) -> Replay:
    """Return who keeps something under this name."""
    return next(one for one in REPLAYS.values() if any(fnmatchcase(name, key) for key in one.keys))


@dataclass
class Internet:
    """Answer for every host; keep what was asked for, which connections were opened, and what scripts told."""

    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    calls: list[tuple[str, int, str]] = field(default_factory=list)

    @cached_property
    def files(self) -> dict[str, str]:
        """Give the vendors' files by host and path."""
        found: dict[str, str] = {}
        for replay in REPLAYS.values():
            for address, text in replay.loads.items():
                is_plain = text.startswith(("export", "@", "window.Swiper"))
                found[address.partition("//")[2] + "#" + replay.name] = text if is_plain else SDK % text
        return found

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        host = headers[b"host"].decode().partition(":")[0]
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"].endswith("/told"):
            self.calls.append(tuple(json.loads(body)))
        elif host not in ERRANDS or b"referer" in headers:
            self.asked.append(f"{host}{scope['path']}")
        kind, content = self._file(
            f"{host}{scope['path']}", headers.get(b"sec-fetch-dest", b"").decode(), scope
        )
        extra = [(b"access-control-allow-origin", b"*"), (b"cache-control", b"no-store")]
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), *extra]}
        )
        await send({"type": "http.response.body", "body": content})

    def _file(self, address: str, destination: str, scope: Any) -> tuple[bytes, bytes]:
        is_ads = b"AW-" in scope["query_string"]  # Google's one script serves two
        names = [one for one in self.files if one.partition("#")[0] == address]
        if len(names) > 1:
            names = [one for one in names if one.endswith("#google-ads") == is_ads]
        if names:
            text = self.files[names[0]]
            return (b"text/css" if text.startswith("@") else b"text/javascript"), text.encode()
        kinds = {
            "iframe": (b"text/html", b"<!doctype html><title>frame</title>"),
            "image": (b"image/gif", GIF),
        }
        if destination in ("style", "script"):
            return (b"text/css" if destination == "style" else b"text/javascript"), b""
        return kinds.get(destination, (b"application/json", b"{}"))

    def wait(self) -> None:
        """Wait until nothing new is heard."""
        wait_until_quiet(lambda: (len(self.asked), len(self.connected), len(self.calls)))

    def forget(self) -> None:
        """Start anew, once what is still on its way has arrived."""
        self.wait()
        for heard in (self.asked, self.connected, self.calls):
            heard.clear()

    @property
    def connections(self) -> Counter[str]:
        """Count the connections by host."""
        return Counter(one for one in self.connected if one not in ERRANDS)

    def told(self, path: str) -> list[str]:
        """Give what scripts told on this page, in the order they did."""
        return [call for at, _, call in sorted(one for one in self.calls if one[0] == path)]

    def tls(self, _: Any, make: Any) -> ssl.SSLContext:
        """Make uvicorn's context one that notes whom a connection is for."""
        context: ssl.SSLContext = make()
        context.sni_callback = lambda _, name, __: self.connected.append(name or "?")
        return context


@dataclass(frozen=True)
class World:
    """Hold a guarded shop, its unguarded copy, everybody else, and what leads a Chromium there."""

    guarded: str
    unguarded: str
    internet: Internet
    rules: str


@contextmanager
def world(state: Path) -> Iterator[World]:
    """Serve both shops and the internet."""
    internet = Internet()
    shop = TinyShop({"/": page(), **{f"/{name}": one.page for name, one in REPLAYS.items()}})
    config = Config(state_dir=str(state), vendors=tuple(Vendor(catalogue=name) for name in REPLAYS))
    issued = trustme.CA().issue_cert("everybody.example")
    with ExitStack() as stack, tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(issued.private_key_and_cert_chain_pem.bytes())
        file.flush()
        note = counting(lambda: internet.connected.append("plain"))
        # A connection that is closed for being idle fails the call that just set out on it.
        lasting: dict[str, Any] = {"lifespan": "off", "timeout_keep_alive": 600}
        plain = stack.enter_context(serving(internet, http=note, **lasting))
        secure = stack.enter_context(
            serving(
                internet,
                ssl_certfile=file.name,
                ssl_keyfile=file.name,
                ssl_context_factory=internet.tls,
                **lasting,
            )
        )
        rules = f"MAP *:443 127.0.0.1:{secure.port},MAP *:80 127.0.0.1:{plain.port},EXCLUDE *.localhost"
        served = [
            stack.enter_context(serving(one)).at("shop.localhost")
            for one in (CookieGuard(shop, config), shop)
        ]
        yield World(*served, internet, f"--host-resolver-rules={rules}")
