"""The front matter of a policy text: four named values between two lines of dashes, in a small subset of YAML.

A value follows its name on the same line, with or without quotes; the summary may also be a list of lines with dashes.
Any other line is refused and named in the error, because half-understood YAML could silently change a date.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from cookieguard.errors import ConfigError

FENCE = "---"
NAMES = ("announced", "effective", "material", "summary")
ALLOWED = f"front matter with {', '.join(NAMES)}"
LINE = re.compile(r"([a-z_]+):(?:[ \t]+(.*))?")
ITEM = re.compile(r"[ \t]*-[ \t]+(.+)")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
LONGEST_SUMMARY = 2_000  # characters, because mails and feeds contain it
TRUTHS = {"true": True, "false": False}


class Head(NamedTuple):
    """Hold the values of a text's front matter."""

    announced: date
    effective: date
    is_material: bool
    summary: tuple[str, ...]


def split_head(text: str, where: str) -> tuple[Head, str]:
    """Return the front matter and the Markdown below it; raises ConfigError that names `where` and the line."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        raise ConfigError(where, was="without front matter", allowed=f"{FENCE!r} first, then {ALLOWED}")
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        raise ConfigError(where, was="without the front matter's end", allowed=f"a line {FENCE!r} below it")
    values = _values(lines[1:end], where)
    for name in NAMES:
        if name not in values:
            raise ConfigError(f"{where}: {name}", was="missing", allowed=ALLOWED)
    return Head(
        announced=_day(values["announced"], f"{where}: announced"),
        effective=_day(values["effective"], f"{where}: effective"),
        is_material=_truth(values["material"], f"{where}: material"),
        summary=_summary(values["summary"], f"{where}: summary"),
    ), "\n".join(lines[end + 1 :]).strip("\n") + "\n"


def day_of(text: str) -> date | None:
    """Return the day of a text like 2026-12-15; None for any other text."""
    with suppress(ValueError):
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    return None


def _values(lines: list[str], where: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        item, named = ITEM.fullmatch(line.rstrip()), LINE.fullmatch(line.rstrip())
        if item is not None and name == "summary":
            values[name].append(_unquoted(item[1], f"{where}: {name}"))
        elif named is not None:
            name = named[1]
            if name not in NAMES or name in values:
                was = "given twice" if name in values else "not a known name"
                raise ConfigError(f"{where}: {name}", was=was, allowed=ALLOWED)
            values[name] = [_unquoted(named[2], f"{where}: {name}")] if named[2] else []
        elif line.strip():
            raise ConfigError(
                f"{where}: front matter", was=repr(line[:60]), allowed=f"'name: value'; {ALLOWED}"
            )
    return values


def _unquoted(text: str, where: str) -> str:
    text = text.strip()
    quote, inner = text[:1], text[1:-1]
    if quote in ('"', "'"):
        is_plain = len(text) > 1 and text[-1] == quote and "\\" not in inner and quote not in inner
    else:
        is_plain, inner = quote not in tuple("|>&*{[!%@`"), text
    if not is_plain:
        allowed = "plain text, or text in quotes, with no such quotes or backslashes in it"
        raise ConfigError(where, was=repr(text[:60]), allowed=allowed)
    return inner


def _day(values: list[str], where: str) -> date:
    found = day_of(" ".join(values))
    if found is None:
        raise ConfigError(where, was=repr(" ".join(values)[:60]), allowed="a day like 2026-12-15")
    return found


def _truth(values: list[str], where: str) -> bool:
    if len(values) == 1 and values[0] in TRUTHS:
        return TRUTHS[values[0]]
    raise ConfigError(where, was=repr(" ".join(values)[:60]), allowed="true or false")


def _summary(values: list[str], where: str) -> tuple[str, ...]:
    length = sum(map(len, values))
    if not values or not all(values) or length > LONGEST_SUMMARY or CONTROL.search("".join(values)):
        allowed = f"a line, or a list of lines, with at most {LONGEST_SUMMARY} printable characters"
        raise ConfigError(where, was=f"{length} characters in {len(values)} lines", allowed=allowed)
    return tuple(values)
