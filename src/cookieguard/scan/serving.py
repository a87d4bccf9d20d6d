"""Serve `module:app` on loopback for as long as a scan takes."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cookieguard.config.loading.app import load_app
from cookieguard.config.loading.trial import tried
from cookieguard.errors import ScanFailed
from cookieguard.runtime.worker import start_thread
from cookieguard.scan.addresses import LOOPBACK, Address

START_SECONDS = 20.0
STOP_SECONDS = 30.0  # a busy machine: what still runs would write into the folder that goes away with it
NO_SERVER = "uvicorn is not installed: pip install '.[scan]' in cookieguard's checkout, or scan a URL"


@contextmanager
def loaded(target: str) -> Iterator[tuple[Any, Path]]:
    """Import an app from this folder; give it, and where it keeps its state meanwhile. Raises what `load_app` does.

    That goes away: a scan's visits are in no figure of the shop's, and its choices in no log.
    """
    with tried() as folder:
        yield load_app(target), folder


@contextmanager
def served(app: Any, folder: Path, *, target: str, host: str = "") -> Iterator[Address]:
    """Serve an app and give the address; raises ScanFailed.

    With a `host` it speaks TLS as that host, with a certificate of its own making in the folder.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ScanFailed(NO_SERVER) from error
    listener = socket.create_server((LOOPBACK, 0))
    files = write_certificate(host, folder) if host else None
    options: dict[str, Any] = {"ssl_certfile": files, "ssl_keyfile": files} if files else {}
    options |= {"interface": "wsgi"} if is_wsgi(app) else {}
    config = uvicorn.Config(
        app, log_config=None, log_level="error", access_log=False, timeout_graceful_shutdown=1, **options
    )
    server = uvicorn.Server(config)
    # What the guard tells an owner of each page, the scan tells of all of them.
    levels = {
        "uvicorn": logging.getLogger("uvicorn").level,
        "cookieguard": logging.getLogger("cookieguard").level,
    }
    logging.getLogger("cookieguard").setLevel(logging.ERROR)
    thread = start_thread(partial(server.run, sockets=[listener]))
    try:
        end = time.monotonic() + START_SECONDS
        while not server.started and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        if not server.started:
            raise ScanFailed(f"{target} did not start within {START_SECONDS:g} s; its log says why")
        yield LOOPBACK, listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        server.force_exit = True
        thread.join(STOP_SECONDS)
        listener.close()
        # Where an app knows no lifespan, nobody else ends it
        if type(app).__module__.startswith("cookieguard."):
            app.close()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def is_wsgi(app: Any) -> bool:
    """Return whether an app is of WSGI, as Flask's are: it takes an environment and `start_response`."""
    try:
        asked = signature(app).parameters.values()
    except (TypeError, ValueError):
        return False
    return sum(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in asked) == 2


def write_certificate(host: str, folder: Path) -> str:
    """Write key and certificate for a host, good for a day, into one file; nobody trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "scan.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return str(file)
