"""The texts about new versions of the shop's policy, in each language, and the line that announces one on pages."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from markupsafe import Markup

from cookieguard.config import Config
from cookieguard.config.languages import SectionTexts, texts_of


class News(Protocol):
    """A version of the policy that pages announce."""

    @property
    def name(self) -> str: ...
    @property
    def effective(self) -> date: ...


class PolicyTexts(SectionTexts):
    """The texts about the policy in a language."""

    @classmethod
    def of(cls, lang: str) -> PolicyTexts:
        """Return the texts in a language."""
        return cls(lang, texts_of(lang)["policy"])


def news_key(version: News | None) -> str:
    """Return a cache key for the line about a version: its name and its day, which can change."""
    return "" if version is None else f"{version.name} {version.effective}"


def objection_place(config: Config, base: str) -> str:
    """Return the address at which customers object: the page for requests, else the shop's mail address, else ""."""
    if config.rights.enabled:
        return f"{base}privacy"
    return f"mailto:{config.controller.email}" if config.controller.email else ""


def news_line(
    version: News | None, texts: PolicyTexts, *, base: str, query: str = "", objects: bool = False
) -> Markup:
    """Return the line that announces a version on the shop's pages, with links to its changes and to objections."""
    if version is None:
        return Markup()
    line = texts.line("news", date=version.effective)
    address = f"{base}policy/{version.name}/changes" + (f"?{query}" if query else "")
    link = Markup('<a href="{}">{}</a>')
    news = link.format(address, line)
    return news + Markup(" ") + link.format(f"{address}#object", texts.texts["object"]) if objects else news
