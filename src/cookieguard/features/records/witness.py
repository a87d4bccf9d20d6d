"""A witness outside the shop: a directory, or a command, that is given the checkpoints.

What somebody else has of the log shows that it was set back or forked. A witness that does not answer holds nothing up:
the next checkpoint covers all that came before it.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import shlex
import subprocess
from collections import deque
from pathlib import Path

from cookieguard.features.records.values.notes import read_checkpoint
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
