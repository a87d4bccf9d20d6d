"""A C2SP witness (c2sp.org/tlog-witness): it signs the newest checkpoint, if that continues what it saw of the log.

Asked once an hour by the job that lets old records go. It keeps the size it signed last: a log that was set back or
forked gets no signature any more, and whoever reads the job's end learns why.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from cookieguard.config import Config
from cookieguard.engines.files.state_directory import StateDirectory, replace_private
from cookieguard.engines.proof.open import stores_if_made
from cookieguard.engines.proof.protocol import LogStore
from cookieguard.engines.proof.upkeep.posting import NoAnswer, post
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.proof.notes import (
    COSIGNATURE,
    LONGEST_NOTE,
    NoteError,
    NoteKey,
    cosigned_at,
    read_checkpoint,
)
from cookieguard.proof.records import to_text
from cookieguard.proof.tiles import consistency_proof
from cookieguard.proof.verification import Report, Verdict

COSIGNED = "cosigned"
SIZE_TYPE = "text/x.tlog.size"
ATTEMPTS = 3  # the first may name the size, the second meet another machine's job
LONGEST_TIME = 253_402_300_799  # seconds; the year 9999
UNKNOWN = "does not know this log or its key; give it the name and the key in keys.json"
OTHER = "knows another log of this name: ours was rolled back and continued, or forked; see: cookieguard log verify"
REASONS: dict[int, str] = {
    HTTPStatus.FORBIDDEN: UNKNOWN,
    HTTPStatus.NOT_FOUND: UNKNOWN,
    HTTPStatus.CONFLICT: OTHER,
    HTTPStatus.UNPROCESSABLE_ENTITY: OTHER,
}


class CosignRefused(CookieGuardError):
    """Say why the witness did not sign."""


def cosign_log(config: Config, state: StateDirectory, *, environ: Mapping[str, str]) -> int:
    """Have the newest checkpoint cosigned, unless it is; return 0, for nothing goes. Raises CosignRefused, LogDown."""
    if not config.proof.witness_url:
        return 0
    key = key_of(config)
    with stores_if_made(config, state.path, environ=environ) as stores:
        note = None if stores is None else stores.log.checkpoint()
        kept = read_cosigned(state.path)
        if stores is None or note is None or kept.startswith(note):
            return 0
        cosigned = _ask(config.proof.witness_url, stores.log, old_size=_size_of(kept))
    try:
        cosigned_at(cosigned, key)
    except NoteError as error:
        raise CosignRefused(f"the witness's answer is not a signature by {key.name}: {error}") from error
    replace_private(state.path / COSIGNED, cosigned.encode())
    return 0


def key_of(config: Config) -> NoteKey:
    """Return the witness's public key; raises ConfigError."""
    try:
        return NoteKey.parse(config.proof.witness_key, COSIGNATURE)
    except NoteError as error:
        raise ConfigError(
            "proof.witness_key", was=str(error), allowed="the witness's verifier key"
        ) from error


def read_cosigned(state: Path) -> str:
    """Return the newest checkpoint that the witness signed, empty where there is none."""
    with suppress(FileNotFoundError), (state / COSIGNED).open("rb") as file:
        return file.read(LONGEST_NOTE + 1).decode("utf-8", "replace")
    return ""


def cosigned_line(config: Config, note: str, report: Report) -> str:
    """Return what the witness signed and when; what it did not sign is a fault."""
    if not note:
        return ""
    if not config.proof.witness_url:
        return f"the witness of {COSIGNED} is NOT checked: that needs proof.witness_url and proof.witness_key"
    key = key_of(config)
    try:
        seconds, size = cosigned_at(note, key), read_checkpoint(note).size
    except NoteError as error:
        report.add(Verdict.BROKEN, None, f"{COSIGNED}: {error}")
        return ""
    time = datetime.fromtimestamp(min(seconds, LONGEST_TIME), UTC)
    return f"the witness {key.name} saw {size} entries at {to_text(time)}"


def _size_of(note: str) -> int:
    with suppress(NoteError):
        return read_checkpoint(note).size
    return 0


def _ask(url: str, log: LogStore, *, old_size: int) -> str:
    """Return the newest checkpoint with the witness's lines; raises CosignRefused.

    A witness that saw another size says which. It may be larger than ours only because another machine's job was
    faster: so the newest checkpoint is looked up again before that counts as a log that was set back.
    """
    size = 0
    for _ in range(ATTEMPTS):
        note = log.checkpoint() or ""
        size = _size_of(note)
        status, kind, answer = _submit(url, log, note, size, min(old_size, size))
        if status == HTTPStatus.OK:
            return note + answer.decode("utf-8", "replace")
        if status != HTTPStatus.CONFLICT or kind != SIZE_TYPE or not answer.strip().isdigit():
            raise CosignRefused(f"the witness {REASONS.get(status, f'answers {status}')}")
        old_size = int(answer[:20])
    if old_size > size:
        what = f"saw {old_size} entries, but the log has {size}: it was cut, or set back to an older copy"
        raise CosignRefused(f"the witness {what}; see: cookieguard log verify")
    raise CosignRefused("another job asked the witness at the same time")


def _submit(url: str, log: LogStore, note: str, size: int, old_size: int) -> tuple[int, str, bytes]:
    try:
        proof = consistency_proof(log.tile, old_size, size)
    except ValueError as error:
        raise CosignRefused(f"the tree cannot be read: {error}; see: cookieguard log verify") from error
    lines = [f"old {old_size}", *(base64.b64encode(one).decode() for one in proof), "", note]
    try:
        return post(f"{url.rstrip('/')}/add-checkpoint", "\n".join(lines).encode(), "text/plain")
    except NoAnswer as error:
        raise CosignRefused(f"the witness {error}") from error
