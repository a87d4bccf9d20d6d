"""The access journal: sign-ins, refusals and looks at personal data, in one file a day that holds nothing else.

Customers appear as keyed digests. The looks at a customer can be found with the keyring, and without it an entry does
not say whose data it is about.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cookieguard.keyring import Keyring, to_text
from cookieguard.storage.state_directory import StateDirectory, append_lines

FOLDER = "staff-journal"
FILE = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl")
USE = b"staff journal"
MOST_REFUSALS = 60  # a minute, so that an attacker who tries tokens cannot fill the disk
LONGEST = 200


class Journal:
    """Append to the journal of a shop. Each line is one write, so that workers can share the file."""

    def __init__(self, state: StateDirectory, keyring: Keyring) -> None:
        self._state = state
        self.keyring = keyring
        self._minute: tuple[int, int] = (0, 0)

    def write(
        self,
        now: datetime,
        event: str,
        *,
        who: str = "",
        role: str = "",
        what: str = "",
        customer: str = "",
        reason: str = "",
    ) -> None:
        """Append an entry and return once it is safely on the disk; raises OSError if it is not."""
        named = {"who": who, "role": role, "what": what, "reason": reason}
        entry = {
            "time": to_text(now),
            "event": event,
            **{name: text[:LONGEST] for name, text in named.items() if text},
        }
        if customer:
            entry["customer"] = marks_of(self.keyring, customer)[0]
        path = self._state.subdirectory(FOLDER) / f"{now.astimezone(UTC):%Y-%m-%d}.jsonl"
        append_lines(path, json.dumps(entry).encode() + b"\n", os.O_NOFOLLOW)

    def refuse(self, now: datetime, what: str) -> None:
        """Append that an access was refused; after 60 refusals in a minute the rest are left out."""
        minute = int(now.timestamp() // 60)
        count = self._minute[1] + 1 if self._minute[0] == minute else 1
        self._minute = (minute, count)
        if count <= MOST_REFUSALS:
            with suppress(OSError):  # the disk is full, but the access was refused anyway
                self.write(now, "refused", what=what)


def marks_of(keyring: Keyring, customer: str) -> list[str]:
    """Return a customer's names in the journal: the one by the key that signs now first, then those by all others."""
    return [digest[:32] for digest in digests_of(keyring, customer, USE)]


def digests_of(keyring: Keyring, text: str, use: bytes) -> list[str]:
    """Return the keyed digests of a text for one use: by the key that signs now first, then by all others."""
    keys = [keyring.signing, *filter(None, map(keyring.get, keyring.ids))]
    secrets = dict.fromkeys(keyring.derive(key, use) for key in keys)
    return [hmac.digest(secret, text.encode(errors="surrogatepass"), "sha256").hex() for secret in secrets]


def read_journal(state: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries, oldest first."""
    for day in journal_days(state):
        yield from read_day(state, day)


def journal_days(state: Path) -> list[str]:
    """Return the days with entries, oldest first."""
    return sorted(path.stem for path in _files(state))


def read_day(state: Path, day: str) -> list[dict[str, Any]]:
    """Return the entries of a day, oldest first, without lines that a full disk cut off."""
    entries = []
    for line in (state / FOLDER / f"{day}.jsonl").read_bytes().splitlines():
        with suppress(ValueError):
            entries.append(json.loads(line))
    return entries


def forget_entries(state: Path, *, today: date, keep_days: int) -> int:
    """Delete the files of days that ended more than `keep_days` ago, and return how many."""
    first = today - timedelta(days=keep_days)
    outdated = [path for path in _files(state) if date.fromisoformat(path.stem) < first]
    for path in outdated:
        path.unlink(missing_ok=True)
    return len(outdated)


def _files(state: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return [path for path in (state / FOLDER).iterdir() if FILE.fullmatch(path.name)]
    return []
