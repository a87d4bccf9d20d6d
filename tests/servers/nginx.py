"""A real nginx in front of the shop: a trusted proxy, TLS, and a shared cache."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from harness.servers import accepts, free_port, launched, wait_until

from servers.clients import Announced, Reply
from servers.traces import Address

PACKAGE = "nginx-light"
HOST = "shop.example"
CONFIG = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    proxy_cache_path {directory}/cache keys_zone=pages:4m;
    {http}
}}
"""
# A load balancer in front announces the client (PROXY protocol); nginx says so to the app in its usual headers.
SERVER = """
    server {{
        listen 127.0.0.1:PORT proxy_protocol;
        listen 127.0.0.1:{tls_port} ssl proxy_protocol;
        ssl_certificate {directory}/certificate.pem;
        ssl_certificate_key {directory}/certificate.pem;
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
        location / {{
            proxy_pass http://127.0.0.1:{shop_port};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_cache pages;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
"""


@dataclass(frozen=True)
class Nginx:
    """The port of nginx, and the certificate that its TLS clients trust."""

    port: int
    tls_port: int
    tls: ssl.SSLContext

    def ask(
        self,
        path: str,
        client: Address,
        *,
        scheme: str = "https",
        method: str = "GET",
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        body: str = "",
    ) -> Reply:
        """Send a client's request over a connection of its own."""
        sent = {"Host": HOST, "Connection": "close", "Accept": "text/html", **(headers or {})}
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        is_secure = scheme == "https"
        connection = Announced(
            self.tls_port if is_secure else self.port, client, tls=self.tls if is_secure else None
        )
        try:
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read().decode())
        finally:
            connection.close()


@contextmanager
def nginx_before(shop_port: int, directory: Path) -> Iterator[Nginx]:
    """Run nginx in front of a server; what nginx itself writes is in `directory`."""
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / "certificate.pem"))
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    tls_port = free_port()
    with running(
        SERVER.format(directory=directory, tls_port=tls_port, shop_port=shop_port), directory
    ) as port:
        wait_until(
            lambda: accepts(tls_port), "nginx listens on its second port: it opens one after the other"
        )
        yield Nginx(port, tls_port, tls)


@contextmanager
def running(http: str, directory: Path, *, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run nginx with these lines in its `http` block; give the free port that stands for PORT in them."""
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "template").write_text(CONFIG.format(directory=directory, user=user, http=http))
    kept = "".join(
        f"env {name};" for name in env or {}
    )  # of its environment nginx's workers keep nothing else
    script = (
        f"sed s/PORT/{{port}}/ template > nginx.conf && exec {find_nginx()} -p . -c nginx.conf -g '{kept}'"
    )
    command = ["sh", "-c", script]
    with launched(command, env=env, log_file=directory / "nginx.log", cwd=directory) as process:
        yield process.port


def find_nginx() -> str:
    """Return nginx's path; raises RuntimeError that says what to do."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"nginx is missing: install Debian's {PACKAGE} (apt-get install {PACKAGE})")
    return found
