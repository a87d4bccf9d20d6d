"""Checkpoints kept outside the log's store: the newest one in the state directory, and those sent to a witness.

An older copy of the store verifies as a complete log. Only a checkpoint kept elsewhere shows that it is old. So a
witness outside the shop, a directory or a command, gets the checkpoints. If it fails, the log continues, since the
next checkpoint covers all earlier entries.
"""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
import shlex
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cookieguard.features.records.store.protocol import LogStore
from cookieguard.features.records.values.notes import LONGEST_NOTE, NoteError, read_checkpoint
from cookieguard.features.records.values.tiles import tree_root
from cookieguard.runtime.worker import NOW, Worker

logger = logging.getLogger("cookieguard")

COMMAND_SECONDS = 30.0
CLOSE_SECONDS = 2.0  # for the last checkpoint at a worker's end; the next worker's checkpoint covers it


class Witness:
    """Send checkpoints to the witness, in a thread that ends when all are sent. Owns the newest unsent checkpoint."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._newest: deque[str] = deque(maxlen=1)
        self._is_failing = False
        self._worker = Worker("witness", self._round, patience=CLOSE_SECONDS, is_brief=True)

    def give(self, note: str) -> None:
        """Queue a checkpoint to be sent. It replaces an older one that is still waiting."""
        self._newest.append(note)
        self._worker.ask()

    def close(self, deadline: float = math.inf) -> None:
        """Wait at most 2 s for the checkpoint being sent, so that a hanging witness does not delay a worker's end."""
        self._worker.close(deadline)

    def _round(self) -> float | None:
        if self._newest:
            self._hand_on(self._newest.pop())
        return NOW if self._newest else None

    def _hand_on(self, note: str) -> None:
        try:
            if Path(self._place).is_dir():
                write_checkpoint(Path(self._place), note)
            else:
                _run_command(self._place, note)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            if not self._is_failing:
                logger.error("proof.witness: %s; the next checkpoint is sent as usual", _reason(error))
            self._is_failing = True
            return
        if self._is_failing:
            logger.warning("proof.witness: it accepts checkpoints again")
        self._is_failing = False


def write_checkpoint(directory: Path, note: str) -> Path:
    """Return the path to which a checkpoint is written. Existing files are kept, since two of one size prove a fork."""
    checkpoint = read_checkpoint(note)
    names = f"checkpoint-{checkpoint.size}", f"checkpoint-{checkpoint.size}-{checkpoint.root.hex()[:16]}"
    draft = directory / f".{names[1]}.{secrets.token_hex(8)}"  # a dying worker leaves no partial checkpoint
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(note.encode())
            file.flush()
            os.fsync(file.fileno())
        for path in (directory / name for name in names):
            if _took_name(draft, path) or path.read_text("utf-8", errors="replace") == note:
                break
        return path
    finally:
        draft.unlink(missing_ok=True)


def _took_name(draft: Path, path: Path) -> bool:
    """Give a draft its final name; return False if a file has that name."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if path.exists():
            return False
        draft.rename(path)
    return True


def _run_command(command: str, note: str) -> None:
    """Run a command without a shell, and pass the checkpoint on its standard input."""
    subprocess.run(  # noqa: S603 - the command is from the shop's own configuration
        shlex.split(command),
        input=note.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=COMMAND_SECONDS,
        check=True,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the command exited with {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the command took more than {COMMAND_SECONDS:.0f} s"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "neither an existing directory nor a command"


NEWEST = "checkpoint"
KEPT = re.compile(r"checkpoint(-[0-9]+)?")
SIGNS = "\u2014 ".encode()  # each signature line at the end of a note begins with this


class LocalAnchor:
    """Keep the newest checkpoint in a file of the state directory. One that contradicts the store is kept for good."""

    def __init__(self, directory: Path, witness: Witness | None = None) -> None:
        self._path = directory / NEWEST
        self._witness = witness

    def check(self, log: LogStore) -> None:
        """Rename the file and log an error if the store is an older copy of the log, or another log."""
        note, size = read_newest(self._path.parent), 0
        if note is None:
            return
        if continues(note, log):
            return
        with suppress(NoteError):
            size = read_checkpoint(note).size
        with suppress(OSError):
            self._path.rename(self._path.with_name(f"{NEWEST}-{size}"))
        logger.error(
            "consent log: replaced by an older or other copy: %d entries now, %d before; run: cookieguard log verify",
            log.size(),
            size,
        )

    def write(self, note: str) -> None:
        """Store a checkpoint, and send it to the witness. If either fails, the log continues."""
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
        """End the witness's thread."""
        if self._witness is not None:
            self._witness.close(deadline)


def read_newest(directory: Path) -> str | None:
    """Return the newest checkpoint kept in a state directory, None if there is none or it cannot be read."""
    with suppress(OSError, UnicodeDecodeError):
        return (directory / NEWEST).read_text("utf-8")
    return None


def continues(note: str, log: LogStore) -> bool:
    """Return whether a log contains all entries of a checkpoint, unchanged."""
    with suppress(NoteError, ValueError):
        kept = read_checkpoint(note)
        return kept.size <= log.size() and tree_root(log.tile, kept.size) == kept.root
    return False


def local_anchors(directory: Path) -> list[Path]:
    """Return the paths of all checkpoints in a state directory."""
    with suppress(FileNotFoundError):
        return sorted(path for path in directory.iterdir() if KEPT.fullmatch(path.name))
    return []


def was_set_back(directory: Path, log: LogStore) -> bool:
    """Return whether a checkpoint in the state directory shows that the log was set back or replaced."""
    kept = local_anchors(directory)
    if any(path.name != NEWEST for path in kept):
        return True
    try:
        return any(read_checkpoint(path.read_text("utf-8")).size > log.size() for path in kept)
    except (NoteError, OSError, UnicodeDecodeError):
        return True


def read_anchors(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Return name and text of the checkpoints in files, and in all files of directories; raises OSError."""
    files = [file for path in paths for file in (sorted(path.glob("[!.]*")) if path.is_dir() else [path])]
    return [
        (path.name if number == 1 else f"{path.name}, its checkpoint {number},", note)
        for path in files
        if not path.is_dir()
        for number, note in enumerate(_notes_in(path), 1)
    ]


def _notes_in(path: Path) -> Iterator[str]:
    """Yield the possible checkpoints in a file. A witness may append several to one file (`cat >> checkpoints`)."""
    note, ends = b"", False
    with path.open("rb") as file:
        while len(note) <= LONGEST_NOTE and (line := file.readline(LONGEST_NOTE + 1)):
            is_signature = line.startswith(SIGNS)
            if ends and not is_signature:
                yield note.decode("utf-8", errors="replace")
                note = b""
            note, ends = note + line, is_signature
    # A note that is too long is not a checkpoint, so the rest of the file is ignored.
    yield note[: LONGEST_NOTE + 1].decode("utf-8", errors="replace")
