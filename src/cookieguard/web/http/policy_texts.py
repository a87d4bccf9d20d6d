"""The words of the policy's pages and notices, from the files of the languages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple, Protocol

from markupsafe import Markup

from cookieguard.config.languages import day_text, texts_of

FSI, PDI = "\u2068", "\u2069"  # keep a date in order inside a sentence of either direction


class News(Protocol):
    """Be a version of the policy that pages announce."""

    @property
    def name(self) -> str: ...
    @property
    def effective(self) -> date: ...


class PolicyTexts(NamedTuple):
    """Hold the texts for readers of a language."""

    lang: str
    texts: Mapping[str, str]

    @classmethod
    def of(cls, lang: str) -> PolicyTexts:
        """Return the texts for readers of a language."""
        return cls(lang, texts_of(lang)["policy"])

    def day(self, day: date) -> str:
        """Write a day as the language does."""
        return day_text(day, self.lang)

    def line(self, name: str, **days: date) -> str:
        """Return a text with its days filled in."""
        text = self.texts[name]
        for key, day in days.items():
            text = text.replace(f"{{{key}}}", f"{FSI}{self.day(day)}{PDI}")
        return text


def news_line(version: News | None, texts: PolicyTexts, *, base: str, query: str = "") -> Markup:
    """Return the line that announces a version on the shop's pages, with the way to what changes."""
    if version is None:
        return Markup()
    line = texts.line("news", date=version.effective)
    address = f"{base}policy/{version.name}/changes" + (f"?{query}" if query else "")
    return Markup('<a href="{}" lang="{}">{}</a>').format(address, texts.lang, line)
