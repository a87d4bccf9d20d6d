"""The journal's lines about erased customers and ended sessions: sealed with the keyring, kept `rights.backup_days`."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from cookieguard.features.rights.values.as_json import dumps, loads
from cookieguard.features.rights.values.requests import Request
from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import ENDED, ERASED, Entry, Journal
from cookieguard.storage.sealing import Seal, SealBroken
from cookieguard.storage.state_directory import replace_private

logger = logging.getLogger("cookieguard")

BEFORE = "erased-customers"  # the file of older releases
# A file with the last day on which the journal was tidied, and the key that signed then.
TIDIED = "journal-tidied"
LINE = re.compile(rb"([0-9T:.-]{19,26}Z) ([A-Za-z0-9+/=]+)\n")
ABOUT = "erased customer"
# Only what a login creates: a guest's session or an old cart gives access to no account.
JOURNALED = frozenset({Revoked.CUSTOMER, Revoked.SESSION, Revoked.SERIES})
AT_ONCE = 200  # ended sessions in one line of about 30 KB


class ErasedCustomers:
    """Write and read the journal's lines about customers."""

    def __init__(self, journal: Journal, keyring: Keyring) -> None:
        self.journal = journal
        self._seal = Seal(keyring)
        self._key_id = keyring.signing.id
        self.unreadable = 0
        """How many erasures could not be opened because their key is not in the keyring."""

    def write(self, request: Request, now: datetime) -> int:
        """Write an erasure into both places of the journal; return the line's number. Raises OSError."""
        return self.journal.write(ERASED, [self._sealed(dumps(request))], now, in_both=True)

    def write_ended(self, revocations: Iterable[Revocation], now: datetime) -> int:
        """Write ended logins; return the line's number, 0 for none. The journal's second place may follow later."""
        rows = [[end.what, end.key, end.at, end.until] for end in revocations if end.what in JOURNALED]
        chunks = [json.dumps(rows[at : at + AT_ONCE]).encode() for at in range(0, len(rows), AT_ONCE)]
        sealed = [self._sealed(chunk) for chunk in chunks]
        try:
            return self.journal.write(ENDED, sealed, now, in_both=False) if sealed else 0
        except OSError as error:  # the logout itself must not fail
            logger.error("journal: %d endings cannot be written (%s)", len(rows), error.strerror)
            return 0

    def requests(self, entries: Iterable[Entry]) -> list[Request]:
        """Return the requests in these lines, each once in its newest version."""
        return list({request.id: request for request in self._opened(entries, ERASED, loads)}.values())

    def ended(self, entries: Iterable[Entry]) -> list[Revocation]:
        """Return the ended sessions in these lines."""
        lines = self._opened(entries, ENDED, json.loads)
        return [Revocation(Revoked(what), *rest) for line in lines for what, *rest in line]

    def import_old(self) -> None:
        """Move the file of older releases into the journal; raises OSError."""
        path = self.journal.path.with_name(BEFORE)
        for at, sealed in LINE.findall(path.read_bytes()) if path.exists() else ():
            moment = datetime.fromisoformat(at.decode()).astimezone(UTC)
            self.journal.write(ERASED, [sealed.decode()], moment, in_both=True)
        path.unlink(missing_ok=True)

    def tidy(self, now: datetime) -> None:
        """Delete old lines, and reseal erasures with the signing key; raises OSError."""
        self.import_old()
        self.journal.rewrite(self._sealed_again, now)

    def tidy_daily(self, now: datetime) -> None:
        """Tidy once a day and for each new key, because all of the journal is read for it; raises OSError."""
        path, stamp = self.journal.path.with_name(TIDIED), f"{now:%Y-%m-%d} {self._key_id}"
        if not path.exists() or path.read_text() != stamp:
            self.tidy(now)
            replace_private(path, stamp.encode())

    def _sealed(self, plain: bytes) -> str:
        return base64.b64encode(self._seal.close(plain, about=ABOUT)).decode()

    def _opened(self, entries: Iterable[Entry], kind: str, read: Callable[[bytes], object]) -> Iterator[Any]:
        for entry in entries:
            if entry.kind == kind:
                try:
                    yield read(self._seal.open(base64.b64decode(entry.text), about=ABOUT))
                except (SealBroken, ValueError) as error:
                    self.unreadable += kind == ERASED
                    logger.error("journal: a line of %s cannot be read: %s", entry.at.date(), error)

    def _sealed_again(self, entry: Entry) -> Entry:
        # Ended sessions are not resealed: without the key that sealed them, their cookies are invalid anyway.
        sealed = base64.b64decode(entry.text) if entry.kind == ERASED else b""
        if not sealed or self._seal.is_current(sealed):
            return entry
        try:
            plain = self._seal.open(sealed, about=ABOUT)
        except SealBroken:  # left unchanged: it opens again once its key is restored
            return entry
        return entry._replace(text=self._sealed(plain))
