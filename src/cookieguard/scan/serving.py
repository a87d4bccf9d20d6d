"""Serve the app `module:app` on loopback until a scan of it ends."""

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

from cookieguard.errors import ScanFailed
from cookieguard.runtime.worker import start_thread
from cookieguard.scan.addresses import LOOPBACK, Address

START_SECONDS = 20.0
STOP_SECONDS = 30.0  # on a busy machine; a server that still runs would write into the folder that is removed
NO_SERVER = "uvicorn is not installed: pip install '.[scan]' in cookieguard's checkout, or scan a URL"


@contextmanager
def served(app: Any, folder: Path, *, target: str, host: str = "") -> Iterator[Address]:
    """Serve an app, and yield its address; raises ScanFailed.

    With a `host`, the server uses TLS, with a self-signed certificate for that host.
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
    # The guard logs notices for the owner on each page; the scan reports the same for all pages.
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
        # The guard is not closed by a lifespan if its app does not support one
        if type(app).__module__.startswith("cookieguard."):
            app.close()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def is_wsgi(app: Any) -> bool:
    """Return whether an app is WSGI, such as Flask's: it takes two arguments, `environ` and `start_response`."""
    try:
        asked = signature(app).parameters.values()
    except (TypeError, ValueError):
        return False
    return sum(arg.default is arg.empty and arg.kind is arg.POSITIONAL_OR_KEYWORD for arg in asked) == 2


def write_certificate(host: str, folder: Path) -> str:
    """Write a key and a self-signed certificate for a host, valid for a day, into one file, and return its path."""
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
