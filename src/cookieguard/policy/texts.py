"""The words of the policy's pages and notices in the languages they are in; the others read English."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from markupsafe import Markup

from cookieguard.policy.versions import Version

STATIC = files("cookieguard.static")
FALLBACK = "en"
FSI, PDI = "\u2068", "\u2069"  # keep a date in order inside a sentence of either direction


class PolicyTexts(NamedTuple):
    """Hold the texts for readers of a language, and the language they are in."""

    lang: str
    texts: Mapping[str, str]
    months: tuple[str, ...]

    @classmethod
    def of(cls, lang: str) -> PolicyTexts:
        """Return the texts for readers of a language."""
        tables = _tables()
        found = lang if lang in tables else FALLBACK
        return cls(found, tables[found], _months(lang) if found == lang else ())

    def day(self, day: date) -> str:
        """Write a day; as 2026-12-15 where the months have no names here."""
        if not self.months:
            return day.isoformat()
        parts = {"day": str(day.day), "month": self.months[day.month - 1], "year": str(day.year)}
        return self.texts["date"].format(**parts)

    def line(self, name: str, **days: date) -> str:
        """Return a text with its days filled in."""
        text = self.texts[name]
        for key, day in days.items():
            text = text.replace(f"{{{key}}}", f"{FSI}{self.day(day)}{PDI}")
        return text


def news_line(version: Version | None, texts: PolicyTexts, *, base: str) -> Markup:
    """Return the line that announces a version on the shop's pages, with the way to what changes."""
    if version is None:
        return Markup()
    line = texts.line("news", date=version.effective)
    address = f"{base}policy/{version.name}/changes"
    return Markup('<a href="{}" lang="{}">{}</a>').format(address, texts.lang, line)


@lru_cache
def _months(lang: str) -> tuple[str, ...]:
    return tuple(tomllib.loads(STATIC.joinpath("lang", f"{lang}.toml").read_text("utf-8"))["meta"]["months"])


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(STATIC.joinpath("policy.toml").read_text("utf-8"))
