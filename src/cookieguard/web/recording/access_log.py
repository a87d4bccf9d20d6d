"""Build the recorder of the access log from its settings: format of a line, truncated or enciphered address, file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial

from cookieguard.config import LogSettings
from cookieguard.config.log import PREFIX_DAILY, REDUCED
from cookieguard.engines.files.access_log import LogFile, log_directory
from cookieguard.stats.anonymize import UNKNOWN
from cookieguard.stats.log_line import FORMS, LogLine
from cookieguard.stats.prefix_cipher import prefix_cipher
from cookieguard.stats.reduced_user_agent import reduced
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.web.recording.pipeline import Recorder

KEY_USE = "log"
# Other addresses in a line are removed in full, not enciphered. A readable network next to the pseudonym of the full
# address would reveal part of it.
NOTHING_LEFT = (0, 0)

Form = Callable[..., bytes]  # takes a LogLine, and as `own` the client's address if the line has a pseudonym


def open_access_log(
    state: StateDirectory,
    keys_of: Callable[[str], DayKeys],
    settings: LogSettings,
    clock: Callable[[], datetime] | None,
) -> Recorder | None:
    """Return the recorder of the access log, None if it is off; raises ConfigError.

    `keys_of` returns the daily keys for a purpose. The key of an enciphered log is never stored next to the log.
    """
    if not settings.enabled:
        return None
    file = LogFile(
        log_directory(state, settings),
        daily=settings.rotate == "daily",
        clock=clock,
    )
    if settings.addresses != PREFIX_DAILY:
        return Recorder(file, form=_form(settings, settings.prefixes))
    pseudonyms = Pseudonyms(keys_of(KEY_USE), _form(settings, NOTHING_LEFT), file)
    return Recorder(pseudonyms, form=pseudonyms.form)


def _form(settings: LogSettings, prefixes: tuple[int, int]) -> Form:
    write = partial(FORMS[settings.format], ipv4_prefix=prefixes[0], ipv6_prefix=prefixes[1])
    if settings.agents != REDUCED:
        return write

    def write_reduced(line: LogLine, *, own: str = "") -> bytes:
        # By position, since `_replace` takes a third of the time of a whole line.
        return write(tuple.__new__(LogLine, (*line[:8], reduced(line[8]), line[9])), own=own)

    return write_reduced


class Pseudonyms:
    """Format and write log lines with their full address replaced by a pseudonym, enciphered with the key of the day.

    Owns the ciphers of the days and, until its batch is written, the pseudonym of each address. An address of a day
    whose key is destroyed becomes `0.0.0.0`. Used by the recorder's thread alone.
    """

    def __init__(self, keys: DayKeys, form: Form, file: LogFile) -> None:
        self._keys = keys
        self._form = form
        self._file = file
        self._ciphers: dict[date, tuple[bytes, Callable[[str], str]]] = {}
        self._batch: dict[tuple[date, str], str] = {}

    def form(self, line: LogLine) -> bytes:
        """Return a formatted line with its address enciphered; an address that cannot be enciphered is removed."""
        known = (line.time.astimezone(UTC).date(), line.address)
        pseudonym = self._batch.get(known)
        if pseudonym is None:
            pseudonym = self._batch[known] = self._encipher(*known)
        return self._form(line._replace(address=pseudonym), own=line.address)

    def write(self, lines: Sequence[bytes]) -> int:
        """Write a batch, and forget its addresses."""
        self._batch.clear()
        return self._file.write(lines)

    def close(self) -> None:
        """Close the file and forget the keys."""
        self._batch.clear()
        self._ciphers.clear()
        self._file.close()

    def _encipher(self, day: date, address: str) -> str:
        key = self._keys.key(day)
        if key is None:
            self._ciphers.pop(day, None)
            return UNKNOWN
        cipher = self._ciphers.get(day)
        if cipher is None or cipher[0] != key:
            # One cipher is kept, so lines of two days in a batch create it again.
            self._ciphers = {day: (key, prefix_cipher(key))}
            cipher = self._ciphers[day]
        return cipher[1](address)
