"""The words of the policy's pages and notices, from the files of the languages."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from markupsafe import Markup

from cookieguard.config import Config
from cookieguard.config.languages import SectionTexts, texts_of


class News(Protocol):
    """Be a version of the policy that pages announce."""

    @property
    def name(self) -> str: ...
    @property
    def effective(self) -> date: ...


class PolicyTexts(SectionTexts):
    """Hold the texts about the policy."""

    @classmethod
    def of(cls, lang: str) -> PolicyTexts:
        """Return the texts for readers of a language."""
        return cls(lang, texts_of(lang)["policy"])


def news_key(version: News | None) -> str:
    """Name what the line about a version depends on: its day can move."""
    return "" if version is None else f"{version.name} {version.effective}"


def objection_place(config: Config, base: str) -> str:
    """Return where customers object: the page for requests, else the shop's mail address, else nothing."""
    if config.rights.enabled:
        return f"{base}privacy"
    return f"mailto:{config.controller.email}" if config.controller.email else ""


def news_line(
    version: News | None, texts: PolicyTexts, *, base: str, query: str = "", objects: bool = False
) -> Markup:
    """Return the line that announces a version on the shop's pages, with the way to what changes and to objections."""
    if version is None:
        return Markup()
    line = texts.line("news", date=version.effective)
    address = f"{base}policy/{version.name}/changes" + (f"?{query}" if query else "")
    link = Markup('<a href="{}">{}</a>')
    news = link.format(address, line)
    return news + Markup(" ") + link.format(f"{address}#object", texts.texts["object"]) if objects else news
