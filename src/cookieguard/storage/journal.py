"""The journal of erasures and ended sessions: a file that restoring a database does not reset, with a second copy.

A line has a number, a time, a kind and a text without names, which is a random number or sealed bytes. Numbers apply
to the state directory only. A line that only the second place has gets a new number there, and is then applied.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cookieguard.config import Config
from cookieguard.errors import KeyringFixed
from cookieguard.keyring import to_text
from cookieguard.runtime.questions import Questions
from cookieguard.storage.keyring_file import locked
from cookieguard.storage.state_directory import append_lines, replace_private, sync_directory

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")

JOURNAL = "journal"
HEAD, SUBJECT, ERASED, ENDED, APPLIED = "journal", "subject", "erased", "ended", "applied"
LINE = re.compile(
    rb"^([0-9]{1,18}) ([0-9T:.-]{19,26}Z) (journal|subject|erased|ended|applied) ([A-Za-z0-9+/=]+)\n", re.M
)
TAIL_BYTES = 65_536  # contains the last line: a request has a few KB, and batches of endings are kept smaller
SECOND_SECONDS = 2.0  # network file systems may hang, and the store's thread must answer within 4 s


class Entry(NamedTuple):
    """One line of the journal."""

    number: int
    at: datetime
    kind: str
    text: str

    @property
    def fact(self) -> tuple[datetime, str, str]:
        """Return the parts of a line that are the same in both places."""
        return self.at, self.kind, self.text

    @property
    def line(self) -> bytes:
        """Return the line as written to the file."""
        return f"{self.number} {to_text(self.at)} {self.kind} {self.text}\n".encode()


class Journal:
    """Write and read the journal. All processes of a machine share its file, and writers wait for each other."""

    def __init__(self, state: Path, second: str, *, days: int) -> None:
        self._state = state
        self.path = state / JOURNAL
        self.second = Path(second).absolute() if second else None
        self.keep = timedelta(days=days)
        self.trouble = ""
        """Why the last use of the second place failed; empty if it did not."""
        # An empty ExitStack as the source, because each question opens the file by itself.
        self._questions: Questions[Any] = Questions("journal", ExitStack, patience=SECOND_SECONDS)
        self._asked: Future[Any] | None = None

    def write(self, kind: str, texts: Sequence[str], now: datetime, *, in_both: bool) -> int:
        """Append lines, synced to the disk on return; return the last line's number.

        Raises OSError if they cannot be written in the state directory or, with `in_both`, in the second place.
        """
        if kind != SUBJECT and not self.keep:
            return 0
        with self._locked():
            before = _last(self.path) or self._begun(now)
            at = _tomorrow(now) if kind == ENDED else now  # hits could be matched with a logout's time
            entries = [Entry(before.number + place, at, kind, text) for place, text in enumerate(texts, 1)]
            append_lines(self.path, _text(entries))
            self._ask_second(lambda path: self._copy(path, before, entries))
        if self.trouble and in_both:
            raise OSError(errno.EIO, self.trouble)
        return entries[-1].number

    def merge(self, now: datetime) -> int:
        """Copy lines that one place lacks from the other; return the last number. Raises OSError (state directory)."""
        with self._locked():
            begun = _last(self.path) or self._begun(now)
            self._ask_second(self._merge)
            return (_last(self.path) or begun).number

    def read(self, now: datetime) -> list[Entry]:
        """Return all lines without changing a file; a line that only the second place has gets the number 0."""
        entries = self._known(self.path, now)
        known = {entry.fact for entry in entries}
        there = self._ask_second(lambda path: [] if self._is_same(path) else self._known(path, now)) or []
        return [*(entry._replace(number=0) for entry in there if entry.fact not in known), *entries]

    def rewrite(self, change: Callable[[Entry], Entry], now: datetime) -> None:
        """Replace all lines by changed ones and drop expired lines, in both places; raises OSError if either fails."""
        before = _entries(self.path)
        if [change(entry) for entry in before if not self._is_over(entry, now)] == before:
            return
        with self._locked():
            self._ask_second(self._merge)
            if self.trouble:
                raise OSError(errno.EIO, self.trouble)
            text = _text(change(entry) for entry in self._known(self.path, now))
            self._ask_second(lambda path: replace_private(path, text))
            if self.trouble:
                raise OSError(errno.EIO, self.trouble)
            replace_private(self.path, text)

    @property
    def name(self) -> str:
        """Return the random name of this file; empty if there is none yet."""
        return next((entry.text for entry in _entries(self.path, limit=200) if entry.kind == HEAD), "")

    def is_followed(self, number: int) -> bool:
        """Return whether this is the last line, and the second place ends with the same line."""
        last = _last(self.path)
        is_last = last is None or last.number <= number
        return is_last and (self.second is None or self._ask_second(self._is_same) is True)

    def _is_same(self, path: Path) -> bool:
        """Return whether both places end with the same line, which means that all their lines are the same."""
        ours, theirs = _last(self.path), _last(path)
        return ours is not None and theirs is not None and ours.fact == theirs.fact

    def _begun(self, now: datetime) -> Entry:
        head = Entry(0, now, HEAD, secrets.token_hex(8))
        append_lines(self.path, head.line)
        sync_directory(self._state)
        return head

    def _known(self, path: Path, now: datetime) -> list[Entry]:
        return [entry for entry in _entries(path) if not self._is_over(entry, now)]

    def _is_over(self, entry: Entry, now: datetime) -> bool:
        return entry.kind in (ERASED, ENDED, APPLIED) and entry.at < now - self.keep

    def _copy(self, path: Path, before: Entry, entries: Sequence[Entry]) -> None:
        """Append new lines to the second place, or merge both places if it lacks earlier lines."""
        last = _last(path)
        if last and last.fact == before.fact:
            append_lines(path, _text(entries))
        else:
            self._merge(path)

    def _merge(self, path: Path) -> None:
        if self._is_same(path):
            return
        ours, theirs = _entries(self.path), _entries(path)
        known = {entry.fact for entry in ours}
        number = max((entry.number for entry in ours), default=0)
        lost = [entry for entry in theirs if entry.kind != HEAD and entry.fact not in known]
        if lost:
            append_lines(
                self.path, _text(entry._replace(number=number + n) for n, entry in enumerate(lost, 1))
            )
        there = {entry.fact for entry in theirs}
        lacking = [entry for entry in ours if entry.fact not in there]
        is_new = not path.exists()
        append_lines(path, _text(lacking))
        if is_new:
            sync_directory(path.parent)

    def _ask_second(self, task: Callable[[Path], Answer]) -> Answer | None:
        """Run a task on the second place within a time limit. A failure is kept in `trouble` and logged once."""
        path = self.second
        if path is None:
            return None
        before, self.trouble = self.trouble, ""
        try:
            if self._asked is not None and not self._asked.done():
                raise TimeoutError
            asked: Future[Answer] = self._questions.ask(lambda _: task(path))
            self._asked = asked
            return asked.result(timeout=SECOND_SECONDS)
        except TimeoutError:
            self.trouble = f"rights.journal {path} does not answer within {SECOND_SECONDS:.0f} s"
        except OSError as error:
            self.trouble = f"rights.journal {path} cannot be used: {error.strerror}"
        if self.trouble != before:
            logger.error("journal: %s; erasures wait until it is back", self.trouble)
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with locked(self._state):
                yield
        except KeyringFixed as error:
            raise OSError(errno.EAGAIN, str(error)) from error


def journal_of(config: Config, state: Path) -> Journal:
    """Return the journal of a shop; `proof.erasures` is the older name of its second place."""
    rights = config.rights
    return Journal(state, rights.journal or config.proof.erasures, days=rights.backup_days)


def _entries(path: Path, *, limit: int = -1) -> list[Entry]:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return _read(file.read(limit))
    return []


def _last(path: Path) -> Entry | None:
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        tail = file.read()
        for begin in (tail.rfind(b"\n", 0, -1) + 1, 0):  # the whole tail if a crash left half a line
            if found := _read(tail[begin:]):
                return found[-1]
    return None


def _read(text: bytes) -> list[Entry]:
    return [
        Entry(int(number), datetime.fromisoformat(at.decode()).astimezone(UTC), kind.decode(), rest.decode())
        for number, at, kind, rest in LINE.findall(text)
    ]


def _tomorrow(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _text(entries: Iterable[Entry]) -> bytes:
    return b"".join(entry.line for entry in entries)
