"""The country of an address, from the owner's own database (MMDB): asked before the address is dropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cookieguard.errors import ConfigError

SETTING = "stats.mmdb"


def open_countries(path: Path) -> Callable[[str], str]:
    """Return what names the country of an address in two letters, empty where the database has none.

    Raises ConfigError where the file or the extra is missing.
    """
    try:
        import maxminddb
    except ImportError as error:
        allowed = "a database whose reader is installed: pip install cookieguard[country]"
        raise ConfigError(SETTING, was=str(path), allowed=allowed) from error
    try:
        database = maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigError(
            SETTING, was=f"{path} ({type(error).__name__})", allowed="a readable MMDB file"
        ) from error

    def country_of(address: str) -> str:
        try:
            found = database.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return ""
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) else ""

    return country_of
