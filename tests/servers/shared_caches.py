"""A guarded demo shop behind real caches, configured with the lines of docs/caches.md."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from harness.servers import LOOPBACK, ROOT, launched, serving

from cookieguard.config.cache import CacheSettings
from demo_site.settings import guard_config
from demo_site.shop.app import create_app
from servers.clients import Reply
from servers.nginx import running

HOST = "shop.localhost"
ADS = "http://ads.localhost:8001"
PAGE = {
    "Accept": "text/html",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}
NGINX = """
    upstream shop {{ server 127.0.0.1:{shop_port}; keepalive 8; }}
    {maps}
    server {{
        listen 127.0.0.1:PORT;
        add_header X-Cache $upstream_cache_status always;
        {locations}
    }}
"""
# In front of a cache that has no TLS of its own.
TLS = """
    server {{
        listen 127.0.0.1:PORT ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
CHOICES = {"n": "choice=reject", "a": "choice=accept", "p": "choice=save&purpose=statistics"}
VARNISH = 'vcl 4.1;\nbackend default {{ .host = "127.0.0.1"; .port = "{shop_port}"; }}\n{lines}'


@dataclass(frozen=True)
class Cache:
    """Ask a cache, or the shop itself, over one connection that stays."""

    port: int
    connection: HTTPConnection
    host: str = HOST
    headers: Mapping[str, str] = field(default_factory=lambda: PAGE)

    def ask(
        self,
        path: str,
        *,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: str = "",
        host: str = "",
        lines: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        """Send one request; `lines` are headers that may be there several times."""
        sent = [("Host", host or self.host), *{**self.headers, **(headers or {})}.items(), *lines]
        if cookies:
            sent.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        if body:
            sent.append(("Content-Length", str(len(body))))
        self.connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent:
            self.connection.putheader(name, value)
        self.connection.endheaders(body.encode() if body else None)
        response = self.connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode())


def from_cache(reply: Reply) -> bool:
    """Return whether a cache had the answer: nginx says so, and Varnish names two requests."""
    return is_hit(reply.headers)


def is_hit(headers: Mapping[str, str]) -> bool:
    """Return whether a cache says so in these headers; their names are lower-case."""
    return headers.get("x-cache") == "HIT" or " " in headers.get("x-varnish", "").strip()


def choose(edge: Cache, body: str) -> dict[str, str]:
    """Make a choice with the form of the page of choices; return the cookies."""
    page = edge.ask("/_cg/choices")
    banner = re.search(r'name="banner" value="([^"]*)"', page.text)
    assert banner is not None
    posted = edge.ask("/_cg/consent", method="POST", headers=FORM, body=f"{body}&banner={banner[1]}&next=/")
    assert posted.status == 303, posted.text
    return {name: value for name, value in posted.cookies.items() if value}


def asking(port: int) -> Cache:
    """Return what asks a server on this machine."""
    return Cache(port, HTTPConnection(LOOPBACK, port, timeout=60))


def blocks(language: str) -> list[str]:
    """Return the blocks of docs/caches.md in one language."""
    text = (ROOT / "docs" / "caches.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@contextmanager
def demo_shop(
    directory: Path, *, clock: Any = None, mode: str = "shared", port: int = 0, **settings: Any
) -> Iterator[int]:
    """Serve the demo shop by a clock; return its port."""
    directory.mkdir(exist_ok=True)
    config = guard_config(ads_origin=ADS, state_dir=directory / "state", policy=ROOT / "demo_site" / "policy")
    config = replace(config, trusted_proxies=(LOOPBACK,), cache=CacheSettings(mode=mode), **settings)
    app = create_app(ads_origin=ADS, database=directory / "shop.sqlite3", guard=config, clock=clock)
    with serving(app, port=port, timeout_keep_alive=120, proxy_headers=False) as server:
        yield server.port


@contextmanager
def nginx_cache(
    shop_port: int,
    directory: Path,
    *,
    edit: Any = lambda text: text,
    env: Mapping[str, str] | None = None,
) -> Iterator[Cache]:
    """Run nginx as the docs say; `edit` takes the configuration and leaves lines out, for a control."""
    maps, locations = blocks("nginx")
    http = NGINX.format(shop_port=shop_port, maps=maps, locations=locations)
    directory.mkdir()
    with running(edit(http), directory, env=env) as port:
        yield asking(port)


@contextmanager
def varnish_cache(
    shop_port: int,
    directory: Path,
    *,
    edit: Any = lambda text: text,
    env: Mapping[str, str] | None = None,
) -> Iterator[Cache]:
    """Run Varnish as the docs say."""
    directory.mkdir()
    (lines,) = blocks("vcl")
    (directory / "shop.vcl").write_text(edit(VARNISH.format(shop_port=shop_port, lines=lines)))
    command = [find_varnish() or "", "-F", "-a", f"{LOOPBACK}:{{port}}", "-f", f"{directory}/shop.vcl"]
    command += ["-n", str(directory / "work"), "-s", "malloc,64m", "-j", "none"]
    with launched(command, env=env, log_file=directory / "varnish.log", cwd=directory) as process:
        yield asking(process.port)


@contextmanager
def tls_before(port: int, certificate: Path, directory: Path) -> Iterator[int]:
    """Speak TLS in front of a cache; return the port."""
    directory.mkdir()
    with running(TLS.format(port=port, certificate=certificate), directory) as tls_port:
        yield tls_port


def libfaketime() -> str:
    """Return the path of the library that sets a process's clock; skips the test without Debian's faketime."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        pytest.skip("Debian's faketime is missing")
    return str(found)


def find_varnish() -> str | None:
    """Return Varnish's path, None where Debian's package is missing."""
    return shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


# The caches that tests run behind, as parameters.
CACHES = [
    pytest.param(nginx_cache, id="nginx"),
    pytest.param(
        varnish_cache,
        id="varnish",
        marks=pytest.mark.skipif(not find_varnish(), reason="Debian's varnish is missing"),
    ),
]
