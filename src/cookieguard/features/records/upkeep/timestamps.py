"""RFC 3161 time stamps of checkpoints: a third party signs that these entries were there at that time.

Asked for once an hour by the job that lets old records go, so never in a request's way. What an authority answers is
kept beside the checkpoint it is of, as two files that `openssl ts -verify` reads too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cookieguard.config import Config
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.features.records.store.open import stores_if_made
from cookieguard.features.records.values.notes import NoteError, read_checkpoint
from cookieguard.storage.state_directory import StateDirectory, replace_private

if TYPE_CHECKING:  # each worker imports this module, and most never ask for a time stamp
    from cryptography import x509
    from rfc3161_client import Verifier, VerifierBuilder

FOLDER = "timestamps"
NAME = re.compile(r"checkpoint-[0-9]+")
MISSING_EXTRA = "empty, or the extra for time stamps: pip install '.[anchor]' in cookieguard's checkout"
HOURLY_FOR = timedelta(days=31)
MOST_HOURLY = 31 * 24  # up to here nothing is looked at
QUERY, ANSWER = "application/timestamp-query", "application/timestamp-reply"


class StampRefused(CookieGuardError):
    """Say why there is no time stamp, or why one does not count."""


def can_stamp() -> bool:
    """Return whether the extra is there."""
    return find_spec("rfc3161_client") is not None


def stamp_log(config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime) -> int:
    """Have the newest checkpoint stamped, unless it is; return 0, for nothing goes. Raises StampRefused, LogDown."""
    del now  # the authority's counts
    if not config.proof.timestamp:
        return 0
    with stores_if_made(config, state.path, environ=environ) as stores:
        note = None if stores is None else stores.log.checkpoint()
    if note is None:
        return 0
    if not can_stamp():
        raise ConfigError("proof.timestamp", was="set, but its extra is not installed", allowed=MISSING_EXTRA)
    folder = state.path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"checkpoint-{read_checkpoint(note).size}"
    if (folder / f"{name}.tsr").exists():
        return 0
    answer = _ask(config.proof.timestamp, note.encode(), roots_of(config))
    replace_private(folder / name, note.encode())
    replace_private(folder / f"{name}.tsr", answer)  # last: only a checkpoint with its answer counts
    _thin_out(state.path)
    return 0


def _thin_out(state: Path) -> None:
    """Of what is older than a month keep one time stamp a day, the first: an entry then has a day, not an hour."""
    kept = list(stamped(state))
    if len(kept) > MOST_HOURLY:
        from rfc3161_client import decode_timestamp_response

        times = {name: decode_timestamp_response(answer).tst_info.gen_time for name, _, answer in kept}
        for name in superfluous(times, fully=HOURLY_FOR):
            # First: without its answer a checkpoint counts for nothing
            (state / f"{name}.tsr").unlink(missing_ok=True)
            (state / name).unlink(missing_ok=True)


def superfluous(times: Mapping[str, datetime], *, fully: timedelta) -> list[str]:
    """Return which time stamps may go: older than that before the newest, and not the first of their day (UTC)."""
    until = max(times.values()) - fully
    days: set[date] = set()
    found = []
    for name, time in sorted(times.items(), key=lambda item: item[1]):
        day = time.astimezone(UTC).date()
        if time < until and day in days:
            found.append(name)
        days.add(day)
    return found


def stamped(state: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield name, checkpoint and answer of all time stamps there are; raises OSError."""
    with suppress(FileNotFoundError):
        for path in sorted((state / FOLDER).iterdir()):
            answer = path.with_name(f"{path.name}.tsr")
            if NAME.fullmatch(path.name) and answer.exists():
                yield f"{FOLDER}/{path.name}", path.read_bytes(), answer.read_bytes()


def check_stamp(note: bytes, answer: bytes, roots: Sequence[x509.Certificate]) -> tuple[int, datetime]:
    """Return how many entries were there, and at which time at the latest; raises StampRefused."""
    from rfc3161_client import VerifierBuilder, decode_timestamp_response

    try:
        size = read_checkpoint(note.decode()).size
        _verified(VerifierBuilder(), answer, note, roots)
        return size, decode_timestamp_response(answer).tst_info.gen_time
    except (NoteError, ValueError) as error:
        raise StampRefused(str(error)) from error


def roots_of(config: Config) -> list[x509.Certificate]:
    """Read the certificates that time stamps are trusted by; raises ConfigError."""
    from cryptography import x509

    path = config.proof.timestamp_roots
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        was = getattr(error, "strerror", None) or "no certificates"
        raise ConfigError("proof.timestamp_roots", was=f"{path!r} ({was})", allowed="a PEM file") from error


def _ask(url: str, note: bytes, roots: Sequence[x509.Certificate]) -> bytes:
    """Ask an authority; what it answers is verified before it is kept."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder

    asked = TimestampRequestBuilder(data=note, hash_algorithm=HashAlgorithm.SHA256).build()
    status, kind, answer = post(url, asked.as_bytes(), QUERY)
    if status != HTTPStatus.OK or kind != ANSWER:
        raise StampRefused(f"the time-stamping authority answers {status} without a time stamp")
    _verified(VerifierBuilder.from_request(asked), answer, note, roots)
    return answer


def _verified(
    builder: VerifierBuilder, answer: bytes, note: bytes, roots: Sequence[x509.Certificate]
) -> None:
    from rfc3161_client import VerificationError, decode_timestamp_response

    for root in roots:
        builder = builder.add_root_certificate(root)
    verifier: Verifier = builder.build()
    try:
        verifier.verify_message(decode_timestamp_response(answer), note)
    except (VerificationError, ValueError) as error:
        raise StampRefused(f"the time stamp is not valid: {error}") from error


SECONDS = 20.0  # for all of an answer: the job that waits is the one by which keys of visitors go
MOST_BYTES = 64 * 1024  # a time stamp with its certificates has 2 to 8 KB


def post(url: str, content: bytes, kind: str) -> tuple[int, str, bytes]:
    """Return status, media type and body; raises StampRefused."""
    import httpx  # each worker imports this module, and most never ask

    try:
        return asyncio.run(asyncio.wait_for(_post(url, content, kind), SECONDS))
    except (httpx.HTTPError, TimeoutError) as error:
        raise StampRefused(f"the time-stamping authority does not answer: {type(error).__name__}") from error


async def _post(url: str, content: bytes, kind: str) -> tuple[int, str, bytes]:
    """Bound by who asks: what answers may send a byte at a time.

    Nothing is unpacked: 64 KB of gzip are 64 MB, of Brotli more than a worker has.
    """
    import httpx

    headers = {"content-type": kind, "accept-encoding": "identity"}
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(None)) as client,
        client.stream("POST", url, content=content, headers=headers) as response,
    ):
        answer = b""
        async for some in response.aiter_raw():
            answer += some
            if len(answer) > MOST_BYTES:
                raise StampRefused(f"the time-stamping authority answers with more than {MOST_BYTES} bytes")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return response.status_code, media_type, answer
