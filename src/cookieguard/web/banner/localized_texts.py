"""The texts of a language as they are shown: with counts, dates and the shop's own words in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from gettext import c2py

from cookieguard.config import Config, Vendor
from cookieguard.config.languages import LANGUAGES, date_parts, language_file, text_in, texts_of
from cookieguard.config.purposes import NECESSARY, SHOP, Purpose
from cookieguard.web.assets import digest

LRI, FSI, PDI = "\u2066", "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class ShownPurpose:
    """Hold a purpose in the words of one language."""

    id: str
    title: str
    description: str
    vendors: tuple[Vendor, ...]
    takes_undeclared: bool

    @property
    def is_necessary(self) -> bool:
        """Return whether the visitor has no say in it."""
        return self.id == NECESSARY


@cache
def all_texts() -> str:
    """Name what stands in all files of languages, without reading them as texts."""
    return digest(b"".join(map(language_file, LANGUAGES)))


@cache
def hash_mark(lang: str) -> str:
    """Return the first digits of the hashes of a language: two, since few languages share them."""
    return digest(lang.encode())[:2]


def shown_purposes(config: Config, lang: str, asked: Sequence[Purpose] = ()) -> tuple[ShownPurpose, ...]:
    """Return these purposes, by default all that visitors see: in the shop's words if it has some, else in ours."""
    asked = asked or config.asked
    texts = texts_of(lang)
    renamed = texts["shop"] if config.purpose_preset == SHOP else {}
    own = {one.id: texts["purposes"].get(one.id, {}) | renamed.get(one.id, {}) for one in asked}
    return tuple(
        ShownPurpose(
            id=one.id,
            title=text_in(one.title, lang) or own[one.id].get("title", one.id),
            description=text_in(one.description, lang) or own[one.id].get("description", ""),
            vendors=tuple(vendor for vendor in config.vendors if vendor.purpose == one.id),
            takes_undeclared=one.id == config.undeclared,
        )
        for one in asked
    )


def fill(text: str, name: str, value: str) -> str:
    """Put a value into a text where it names it."""
    # Bidi isolates (left-to-right, else first-strong) keep "2026-11" in order inside an Arabic sentence.
    return text.replace(f"{{{name}}}", f"{LRI if value.isascii() else FSI}{value}{PDI}")


def date_text(when: datetime, lang: str) -> str:
    """Return a moment as this language writes it."""
    form = str(texts_of(lang)["meta"]["date"])
    return form.format(**date_parts(when, lang), time=f"{when:%H:%M}")


def duration_text(count: int, unit: str, lang: str) -> str:
    """Return a length of time as this language counts it: `13`, `"month"` as "13 months"."""
    form = _plural(texts_of(lang)["meta"]["plural"])(count)
    return str(texts_of(lang)["durations"][unit][int(form)]).format(count=count)


@cache
def _plural(rule: str) -> Callable[[int], int]:
    """Read the rule that numbers a language's plural forms, written as gettext's Plural-Forms has it."""
    return c2py(rule)
