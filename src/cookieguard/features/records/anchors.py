"""Checkpoints kept outside the log's store: the newest beside it, and files that others were given.

An older copy of the store is a whole log of its own; that it is old shows only what was kept elsewhere.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cookieguard.features.records.store.protocol import LogStore
from cookieguard.features.records.values.notes import LONGEST_NOTE, NoteError, read_checkpoint
from cookieguard.features.records.values.tiles import tree_root
from cookieguard.features.records.witness import Witness

logger = logging.getLogger("cookieguard")

NEWEST = "checkpoint"
KEPT = re.compile(r"checkpoint(-[0-9]+)?")
SIGNS = "\u2014 ".encode()  # as a line of a signature begins, of which a note has some at its end


class LocalAnchor:
    """Keep the newest checkpoint in a file beside the store; one that the store contradicts stays for good."""

    def __init__(self, directory: Path, witness: Witness | None = None) -> None:
        self._path = directory / NEWEST
        self._witness = witness

    def check(self, log: LogStore) -> None:
        """Put the file aside where the log is not what it was: set back to an older copy, or another one."""
        note = self._read()
        if note is None:
            return
        try:
            kept = read_checkpoint(note)
            if kept.size <= log.size() and tree_root(log.tile, kept.size) == kept.root:
                return
        except (NoteError, ValueError):
            kept = None
        size = 0 if kept is None else kept.size
        with suppress(OSError):
            self._path.rename(self._path.with_name(f"{NEWEST}-{size}"))
        logger.error(
            "consent log: replaced by an older or other copy: %d entries now, %d before; run: cookieguard log verify",
            log.size(),
            size,
        )

    def write(self, note: str) -> None:
        """Keep a checkpoint, and hand it to the witness; where that fails the log goes on."""
        if self._witness is not None:
            self._witness.give(note)
        draft = self._path.with_name(f".{NEWEST}.{secrets.token_hex(8)}")
        with suppress(OSError):
            try:
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(descriptor, "wb") as file:
                    file.write(note.encode())
                draft.replace(self._path)
            finally:
                draft.unlink(missing_ok=True)

    def close(self, deadline: float) -> None:
        """Let the witness end."""
        if self._witness is not None:
            self._witness.close(deadline)

    def _read(self) -> str | None:
        with suppress(OSError, UnicodeDecodeError):
            return self._path.read_text("utf-8")
        return None


def local_anchors(directory: Path) -> list[Path]:
    """Return the files with checkpoints in a state directory."""
    with suppress(FileNotFoundError):
        return sorted(path for path in directory.iterdir() if KEPT.fullmatch(path.name))
    return []


def was_set_back(directory: Path, log: LogStore) -> bool:
    """Return whether checkpoints in a state directory name more, or another log, than there is."""
    kept = local_anchors(directory)
    if any(path.name != NEWEST for path in kept):
        return True
    try:
        return any(read_checkpoint(path.read_text("utf-8")).size > log.size() for path in kept)
    except (NoteError, OSError, UnicodeDecodeError):
        return True


def read_anchors(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Return name and text of checkpoints in files, and in all files of directories; raises OSError."""
    files = [one for path in paths for one in (sorted(path.glob("[!.]*")) if path.is_dir() else [path])]
    return [
        (path.name if number == 1 else f"{path.name}, its checkpoint {number},", note)
        for path in files
        if not path.is_dir()
        for number, note in enumerate(_notes_in(path), 1)
    ]


def _notes_in(path: Path) -> Iterator[str]:
    """Yield what may be a checkpoint: mostly one, but a witness may put the next behind it (`cat >> checkpoints`)."""
    note, ends = b"", False
    with path.open("rb") as file:
        while len(note) <= LONGEST_NOTE and (line := file.readline(LONGEST_NOTE + 1)):
            is_signature = line.startswith(SIGNS)
            if ends and not is_signature:
                yield note.decode("utf-8", errors="replace")
                note = b""
            note, ends = note + line, is_signature
    # One that is longer is none, whatever follows.
    yield note[: LONGEST_NOTE + 1].decode("utf-8", errors="replace")
