"""A guarded demo shop behind real caches, configured with the very lines of docs/caches.md."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

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
VARNISH = 'vcl 4.1;\nbackend default {{ .host = "127.0.0.1"; .port = "{shop_port}"; }}\n{lines}'


@dataclass(frozen=True)
class Cache:
    """Ask a cache, or the shop itself, over one connection that stays."""

    port: int
    connection: HTTPConnection

    def ask(
        self,
        path: str,
        *,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: str = "",
        host: str = HOST,
        lines: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        """Send one request; `lines` are headers that may be there several times."""
        sent = [("Host", host), *(PAGE | dict(headers or {})).items(), *lines]
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
    return reply.headers["x-cache"] == "HIT" or " " in reply.headers.get("x-varnish", "").strip()


def asking(port: int) -> Cache:
    """Return what asks a server on this machine."""
    return Cache(port, HTTPConnection(LOOPBACK, port, timeout=60))


def blocks(language: str) -> list[str]:
    """Return the blocks of docs/caches.md in one language."""
    text = (ROOT / "docs" / "caches.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@contextmanager
def demo_shop(directory: Path, *, clock: Any = None, **settings: Any) -> Iterator[int]:
    """Serve the demo shop by a clock; return its port."""
    config = guard_config(ads_origin=ADS, state_dir=directory / "state", policy=ROOT / "demo_site" / "policy")
    config = replace(config, trusted_proxies=(LOOPBACK,), cache=CacheSettings(mode="shared"), **settings)
    app = create_app(ads_origin=ADS, database=directory / "shop.sqlite3", guard=config, clock=clock)
    with serving(app, timeout_keep_alive=120) as server:
        yield server.port


@contextmanager
def nginx_cache(shop_port: int, directory: Path, *, edit: Any = lambda text: text) -> Iterator[Cache]:
    """Run nginx as the docs say; `edit` takes the configuration and leaves lines out, for a control."""
    maps, locations = blocks("nginx")
    http = NGINX.format(shop_port=shop_port, maps=maps, locations=locations)
    directory.mkdir()
    with running(edit(http), directory) as port:
        yield asking(port)


@contextmanager
def varnish_cache(shop_port: int, directory: Path, *, edit: Any = lambda text: text) -> Iterator[Cache]:
    """Run Varnish as the docs say."""
    directory.mkdir()
    (lines,) = blocks("vcl")
    (directory / "shop.vcl").write_text(edit(VARNISH.format(shop_port=shop_port, lines=lines)))
    command = [find_varnish() or "", "-F", "-a", f"{LOOPBACK}:{{port}}", "-f", f"{directory}/shop.vcl"]
    command += ["-n", str(directory / "work"), "-s", "malloc,64m", "-j", "none"]
    with launched(command, log_file=directory / "varnish.log", cwd=directory) as process:
        yield asking(process.port)


def find_varnish() -> str | None:
    """Return Varnish's path, None where Debian's package is missing."""
    return shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
