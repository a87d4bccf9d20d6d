"""Look up the country of an address in the owner's database (MMDB), before the address is dropped."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cookieguard.errors import ConfigError
from cookieguard.storage.keyring_file import stamp_of

if TYPE_CHECKING:  # an extra
    from maxminddb import Reader

logger = logging.getLogger("cookieguard")

SETTING = "stats.mmdb"
MAPPED = "::ffff:"  # before an IPv4 address on a dual-stack socket; databases have the plain IPv4 address
LOOK_EVERY = timedelta(seconds=10)
OPEN_FILES = Path("/proc/self/fd")


class Countries:
    """Look up the country of an address: two letters, or "" if the file has none. A replaced file is read again.

    Owns the database and the time of the next check. If a replaced file cannot be read, the old database stays in use,
    and one warning is logged. The constructor raises ConfigError if the file or the extra is missing.
    """

    def __init__(self, path: Path, *, look_every: timedelta = LOOK_EVERY) -> None:
        self._path = path.absolute()
        self._pause = look_every.total_seconds()
        self._next_check = time.monotonic() + self._pause
        self._trouble = ""
        try:
            self._stamp = stamp_of(os.stat(self._path))
        except OSError as error:
            raise _unreadable(path, error.strerror or "") from error
        self._database = opened(path)

    def __call__(self, address: str) -> str:
        if time.monotonic() >= self._next_check:
            self._reread_changed_file()
        try:
            return code_of(self._database.get(address.removeprefix(MAPPED) if "." in address else address))
        except Exception:  # noqa: BLE001 - the reader may raise any type for a bad address or a damaged file
            return ""

    def _reread_changed_file(self) -> None:
        self._next_check = time.monotonic() + self._pause
        try:
            stamp = stamp_of(os.stat(self._path))
            if stamp == self._stamp:
                return
            self._database, self._stamp, self._trouble = opened(self._path), stamp, ""
        except (ConfigError, OSError) as error:
            trouble = str(error) if isinstance(error, ConfigError) else f"{self._path}: {error.strerror}"
            if trouble != self._trouble:
                self._trouble = trouble
                logger.warning("statistics: %s; countries still come from the old file", trouble)


def opened(path: Path) -> Reader:
    """Return a database, opened from a copy in memory: the process would crash if a mapped file were overwritten.

    Raises ConfigError if the file or the extra is missing, or if the file is no database.
    """
    try:
        import maxminddb
    except ImportError as error:
        allowed = "a database whose reader is installed: pip install '.[country]' in cookieguard's checkout"
        raise ConfigError(SETTING, was=f"{path} without its reader", allowed=allowed) from error
    try:
        if not (hasattr(os, "memfd_create") and OPEN_FILES.is_dir()):
            return maxminddb.open_database(path)
        with os.fdopen(os.memfd_create("countries"), "wb") as copy:
            copy.write(path.read_bytes())
            copy.flush()
            return maxminddb.open_database(OPEN_FILES / str(copy.fileno()))
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from error
    except (ValueError, maxminddb.InvalidDatabaseError) as error:
        raise _unreadable(path, "not an MMDB file") from error


def code_of(found: Any) -> str:
    """Return the country code of a record in the form of MaxMind, DB-IP and IP2Location, or of IPinfo."""
    if not isinstance(found, dict):
        return ""
    country = found.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else found.get("country_code")
    return code if isinstance(code, str) else ""


def _unreadable(path: Path, reason: str) -> ConfigError:
    return ConfigError(SETTING, was=f"{path} ({reason})", allowed="a readable MMDB file")
