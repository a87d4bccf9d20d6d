"""Checkpoints kept outside the log's store: the newest beside it, and files that others were given.

An older copy of the store is a whole log of its own; only what was kept elsewhere shows that it is old. So a witness
outside the shop, a directory or a command, is given the checkpoints. One that does not answer holds nothing up: the
next checkpoint covers all that came before it.
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
CLOSE_SECONDS = 2.0  # in which a worker that ends hands the last one on; the next worker's covers it


class Witness:
    """Hand checkpoints on, in a thread that lives while there is one to hand on. Owns the newest one."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._newest: deque[str] = deque(maxlen=1)
        self._is_failing = False
        self._worker = Worker("witness", self._round, patience=CLOSE_SECONDS, is_brief=True)

    def give(self, note: str) -> None:
        """Have a checkpoint handed on; one that waits still gives way to it."""
        self._newest.append(note)
        self._worker.ask()

    def close(self, deadline: float = math.inf) -> None:
        """Wait a moment for what is being handed on; a witness that hangs holds no worker's end up."""
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
    """Write a checkpoint beside those that are there; none is ever written over: two of one size are a fork."""
    checkpoint = read_checkpoint(note)
    names = f"checkpoint-{checkpoint.size}", f"checkpoint-{checkpoint.size}-{checkpoint.root.hex()[:16]}"
    draft = directory / f".{names[1]}.{secrets.token_hex(8)}"  # a worker that dies leaves no half checkpoint
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(note.encode())
            file.flush()
            os.fsync(file.fileno())
        for path in (directory / name for name in names):
            if _is_put(draft, path) or path.read_text("utf-8", errors="replace") == note:
                break
        return path
    finally:
        draft.unlink(missing_ok=True)


def _is_put(draft: Path, path: Path) -> bool:
    """Give a file its name, unless that is taken."""
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
    """Run a command, without a shell, that reads the checkpoint from its standard input."""
    subprocess.run(  # noqa: S603 - of the shop's own configuration
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
SIGNS = "\u2014 ".encode()  # as a line of a signature begins, of which a note has some at its end


class LocalAnchor:
    """Keep the newest checkpoint in a file beside the store; one that the store contradicts stays for good."""

    def __init__(self, directory: Path, witness: Witness | None = None) -> None:
        self._path = directory / NEWEST
        self._witness = witness

    def check(self, log: LogStore) -> None:
        """Put the file aside where the log is not what it was: set back to an older copy, or another one."""
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


def read_newest(directory: Path) -> str | None:
    """Return the newest checkpoint that is kept in a state directory."""
    with suppress(OSError, UnicodeDecodeError):
        return (directory / NEWEST).read_text("utf-8")
    return None


def continues(note: str, log: LogStore) -> bool:
    """Return whether a log has all that a checkpoint has."""
    with suppress(NoteError, ValueError):
        kept = read_checkpoint(note)
        return kept.size <= log.size() and tree_root(log.tile, kept.size) == kept.root
    return False


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
