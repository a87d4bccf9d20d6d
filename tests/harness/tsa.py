"""A time-stamping authority on this machine: `openssl ts` behind HTTP, with a root of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.posts import Reply, answering
from harness.servers import LOOPBACK

CONFIG = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """Describe a running authority: its address, its root, and `answers` that it gives instead of a time stamp."""

    url: str
    root: Path
    asked: int = 0
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    coding: str = ""
    """The content coding that an answer claims."""


@contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    """Run an authority; skips the test, loudly, without an OpenSSL that can stamp."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("NO TEST OF TIME STAMPS: there is no openssl")
    folder.mkdir()
    _make_certificates(folder)
    (folder / "serial").write_text("01\n")
    (folder / "config").write_text(CONFIG.format(folder=folder))
    command = [
        openssl,
        "ts",
        "-reply",
        "-config",
        str(folder / "config"),
        "-queryfile",
        str(folder / "query"),
    ]

    def reply(_: str, query: bytes) -> Reply:
        made.asked += 1
        status, answer = made.answers.pop(0) if made.answers else (200, b"")
        if not answer:
            (folder / "query").write_bytes(query)
            subprocess.run([*command, "-out", str(folder / "answer")], check=True, capture_output=True)
            answer = (folder / "answer").read_bytes()
        coding = {"content-encoding": made.coding} if made.coding else {}
        return status, {"content-type": "application/timestamp-reply", **coding}, answer

    with answering(reply) as port:
        made = Authority(f"http://{LOOPBACK}:{port}/tsr", folder / "root.pem")
        yield made


def _make_certificates(folder: Path) -> None:
    now = datetime.now(UTC) - timedelta(days=1)
    keys = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("root", "tsa")}
    names = {one: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"a test's {one}")]) for one in keys}
    for name, key in keys.items():
        is_root = name == "root"
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[name])
            .issuer_name(names["root"])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        )
        if not is_root:
            stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(stamps, critical=True)
        certificate = builder.sign(keys["root"], hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
