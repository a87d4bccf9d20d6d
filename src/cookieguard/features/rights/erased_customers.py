"""The journal of erased customers: what a backup of the store does not take back, so that `work --again` erases anew.

It is a file of the state directory. A line is a time and the request as it was, sealed with the keyring; it goes once
backups are older than `rights.backup_days`.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from cookieguard.features.rights.sealing import Seal, SealBroken
from cookieguard.features.rights.values.as_json import dumps, loads
from cookieguard.features.rights.values.requests import Request
from cookieguard.keyring import Keyring, to_text
from cookieguard.storage.keyring_file import locked
from cookieguard.storage.state_directory import StateDirectory

logger = logging.getLogger("cookieguard")

JOURNAL = "erased-customers"
ABOUT = "erased customer"
LINE = re.compile(rb"([0-9T:.-]{19,26}Z) ([A-Za-z0-9+/=]+)\n")


class _Line(NamedTuple):
    at: datetime
    sealed: bytes


class ErasedCustomers:
    """Know who was erased lately. All processes of a machine share the file: each writes the whole of it in turn."""

    def __init__(self, state: StateDirectory, keyring: Keyring, *, days: int) -> None:
        self._state = state
        self._seal = Seal(keyring)
        self._keep = timedelta(days=days)

    def write(self, request: Request, now: datetime) -> None:
        """Write down that a customer is erased from now on, safe on the disk when it returns; raises OSError."""
        if self._keep:
            sealed = self._seal.close(dumps(request), about=ABOUT)
            self._change(lambda lines: [*lines, _Line(now, sealed)], now)

    def requests(self, now: datetime) -> list[Request]:
        """Return the requests of who was erased lately, each once, as it was last."""
        found = {}
        for line in self._lines():
            request = self._opened(line)
            if request is not None and line.at >= now - self._keep:
                found[request.id] = request
        return list(found.values())

    def tidy(self, now: datetime) -> None:
        """Delete what is old enough, and seal the rest with the key that signs now; raises OSError."""
        lines = self._lines()
        if any(one.at < now - self._keep or not self._seal.is_current(one.sealed) for one in lines):
            self._change(lambda before: [self._sealed_anew(one) for one in before], now)

    def _change(self, change: Callable[[list[_Line]], list[_Line]], now: datetime) -> None:
        with locked(self._state.path):
            lines = [one for one in change(self._lines()) if one.at >= now - self._keep]
            text = b"".join(b"%s %s\n" % (to_text(at).encode(), base64.b64encode(it)) for at, it in lines)
            if text:
                self._state.replace(JOURNAL, text)
            else:
                self._state.remove(JOURNAL)

    def _lines(self) -> list[_Line]:
        found = LINE.findall(self._state.read(JOURNAL) or b"")
        return [_Line(datetime.fromisoformat(at.decode()), base64.b64decode(it)) for at, it in found]

    def _opened(self, line: _Line) -> Request | None:
        try:
            return loads(self._seal.open(line.sealed, about=ABOUT))
        except (SealBroken, ValueError) as error:
            logger.error("an erasure written on %s cannot be read: %s", line.at.date(), error)
            return None

    def _sealed_anew(self, line: _Line) -> _Line:
        try:
            plain = self._seal.open(line.sealed, about=ABOUT)
        except SealBroken:  # it stays as it is: a key that comes back opens it
            return line
        return _Line(line.at, self._seal.close(plain, about=ABOUT))
