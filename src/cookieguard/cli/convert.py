"""`cookieguard convert FILE`: turns the configuration of another consent banner into cookieguard's vendor tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cookieguard.cli.output import show_line
from cookieguard.convert.object_literal import TooDeep
from cookieguard.convert.sources import read_source, vendor_list
from cookieguard.errors import ConfigError

MOST_BYTES = 2_000_000  # the largest configuration of a banner that we saw has 60 KB
ALLOWED = "a configuration of Klaro or vanilla-cookieconsent (JavaScript or JSON), or Cookiebot's cookies (CSV or JSON)"

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The other banner's file. It is read, never run.")
]


def convert(file: FileArgument) -> None:
    """Print the vendors of Klaro, vanilla-cookieconsent or Cookiebot as TOML."""
    try:
        raw = file.read_bytes()
        text = raw.decode("utf-8-sig")  # spreadsheets and .NET begin a file with a byte order mark
    except OSError as error:
        raise ConfigError("FILE", was=f"{file} ({error.strerror})", allowed=ALLOWED) from error
    except UnicodeDecodeError as error:
        raise ConfigError("FILE", was=f"{file} (not UTF-8 text)", allowed=ALLOWED) from error
    if len(raw) > MOST_BYTES:
        raise ConfigError("FILE", was=f"{file} ({len(raw)} bytes)", allowed=f"at most {MOST_BYTES} bytes")
    try:
        found = read_source(text)
    except (TooDeep, RecursionError) as error:
        raise ConfigError("FILE", was=f"{file} (nested too deeply)", allowed=ALLOWED) from error
    if found is None:
        raise ConfigError("FILE", was=f"{file} (no third party in it)", allowed=ALLOWED)
    show_line(vendor_list(found).rstrip("\n"))
