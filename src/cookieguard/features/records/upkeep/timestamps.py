"""RFC 3161 time stamps of checkpoints: a third party signs that these entries existed at that time.

The hourly job requests them, so no visitor waits for the authority. A time stamp and its checkpoint are kept as two
files, which `openssl ts -verify` can read too.
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
MOST_HOURLY = 31 * 24  # as many time stamps fit into these days, so fewer need no thinning out
QUERY, ANSWER = "application/timestamp-query", "application/timestamp-reply"


class StampRefused(CookieGuardError):
    """There is no time stamp, or it does not count; the text says why."""


def can_stamp() -> bool:
    """Return whether the extra for time stamps is installed."""
    return find_spec("rfc3161_client") is not None


def stamp_log(config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime) -> int:
    """Have the newest checkpoint stamped once; return 0, since no record is deleted. Raises StampRefused, LogDown."""
    del now  # the authority's own clock counts
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
    """Delete all but each day's first time stamp from before the last month. They then prove a day, not an hour."""
    kept = list(stamped(state))
    if len(kept) > MOST_HOURLY:
        from rfc3161_client import decode_timestamp_response

        times = {name: decode_timestamp_response(answer).tst_info.gen_time for name, _, answer in kept}
        for name in superfluous(times, fully=HOURLY_FOR):
            # The answer is deleted first: a checkpoint without its answer is ignored.
            (state / f"{name}.tsr").unlink(missing_ok=True)
            (state / name).unlink(missing_ok=True)


def superfluous(times: Mapping[str, datetime], *, fully: timedelta) -> list[str]:
    """Return the time stamps older than `fully` before the newest that are not the first of their day (UTC)."""
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
    """Yield name, checkpoint and answer of each time stamp in the state directory; raises OSError."""
    with suppress(FileNotFoundError):
        for path in sorted((state / FOLDER).iterdir()):
            answer = path.with_name(f"{path.name}.tsr")
            if NAME.fullmatch(path.name) and answer.exists():
                yield f"{FOLDER}/{path.name}", path.read_bytes(), answer.read_bytes()


def check_stamp(note: bytes, answer: bytes, roots: Sequence[x509.Certificate]) -> tuple[int, datetime]:
    """Return how many entries a time stamp proves, and the time by which they existed; raises StampRefused."""
    from rfc3161_client import VerifierBuilder, decode_timestamp_response

    try:
        size = read_checkpoint(note.decode()).size
        _verified(VerifierBuilder(), answer, note, roots)
        return size, decode_timestamp_response(answer).tst_info.gen_time
    except (NoteError, ValueError) as error:
        raise StampRefused(str(error)) from error


def roots_of(config: Config) -> list[x509.Certificate]:
    """Return the root certificates that time stamps are verified against; raises ConfigError."""
    from cryptography import x509

    path = config.proof.timestamp_roots
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        was = getattr(error, "strerror", None) or "no certificates"
        raise ConfigError("proof.timestamp_roots", was=f"{path!r} ({was})", allowed="a PEM file") from error


def _ask(url: str, note: bytes, roots: Sequence[x509.Certificate]) -> bytes:
    """Return an authority's time stamp of a note, once it is verified; raises StampRefused."""
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


SECONDS = 20.0  # for the whole answer, since the same hourly job must still destroy visitors' keys
MOST_BYTES = 64 * 1024  # a time stamp with its certificates has 2 to 8 KB


def post(url: str, content: bytes, kind: str) -> tuple[int, str, bytes]:
    """Return status, media type and body; raises StampRefused."""
    import httpx  # here, since each worker imports this module, and most never need httpx

    try:
        return asyncio.run(asyncio.wait_for(_post(url, content, kind), SECONDS))
    except (httpx.HTTPError, TimeoutError) as error:
        raise StampRefused(f"the time-stamping authority does not answer: {type(error).__name__}") from error


async def _post(url: str, content: bytes, kind: str) -> tuple[int, str, bytes]:
    """Post without timeouts of httpx, since they restart with each byte; the caller limits the whole answer.

    The body is not decompressed: 64 KB of gzip can be 64 MB, and of Brotli more than a worker's memory.
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
