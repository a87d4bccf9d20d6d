"""Put drafted tables into a configuration that is there: behind it, or into the list it names its vendors in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from cookieguard.config.loading.toml import LIST, config_from_mapping
from cookieguard.consent.declarations import list_entry
from cookieguard.errors import ConfigError

# What may stand in a list: a comment, a text of either kind, or one more character.
TOKEN = re.compile(r"#[^\n]*|\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|.", re.DOTALL)


def fitting(tables: str, before: str) -> str:
    """Write drafted tables as a list where the configuration names its vendors in one: TOML takes one form."""
    if not tables or LIST.search(before) is None:
        return tables
    return "vendors = [\n" + "".join(f"{line}\n" for line in _entries(tables)) + "]\n"


def added(before: str, tables: str) -> str:
    """Return a configuration with drafted tables; raises ConfigError where both do not go together."""
    found = LIST.search(before)
    if found is not None:
        text = _into_list(before, found.end(), tables)
    else:
        text = f"{before.rstrip()}\n\n{tables}" if before.strip() else tables
    try:
        config_from_mapping(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        allowed = "one that tables can be added to; write them into a file of their own with --draft"
        raise ConfigError("the configuration", was=f"another form ({error})", allowed=allowed) from error
    return text


def _into_list(before: str, start: int, tables: str) -> str:
    """Write the tables as entries at the end of the list that begins at `start`."""
    end, last = _end_of(before, start)
    comma = "" if before[last - 1] in "[," else ","
    entries = "".join(f"{line}\n" for line in _entries(tables))
    head = f"{before[:last]}{comma}{before[last:end]}".rstrip(" \t\n")
    return f"{head}\n{entries}{before[end:]}"


def _end_of(text: str, start: int) -> tuple[int, int]:
    """Find the bracket that ends a list, and where its last entry ends; comments and blanks are none."""
    depth, last, place = 1, start, start
    for token in TOKEN.finditer(text, start):
        sign = token[0]
        place = token.start()
        if sign[0] == "#" or sign.isspace():
            continue
        depth += (sign in "[{") - (sign in "]}")
        if not depth:
            break
        last = token.end()
    return place, last


def _entries(tables: str) -> Iterator[str]:
    """Write each table as one entry, under its comments."""
    for block in tables.strip().split("\n\n"):
        lines = block.split("\n")
        yield from (f"    {line}" for line in lines if line.startswith("#"))
        for vendor in tomllib.loads(block).get("vendors", ()):
            yield f"    {list_entry(vendor)},"
