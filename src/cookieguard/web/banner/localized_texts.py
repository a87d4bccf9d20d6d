"""The texts of a language as visitors see them, with counts, dates and the shop's own words filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from gettext import c2py

from cookieguard.config import Config, Vendor
from cookieguard.config.languages import FILES, LANGUAGES, date_parts, text_in, texts_of
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
        """Return whether the purpose is necessary, so that the visitor cannot refuse it."""
        return self.id == NECESSARY


@cache
def all_texts() -> str:
    """Return a digest of all language files, made without parsing them."""
    return digest(b"".join(FILES[lang] for lang in LANGUAGES))


@cache
def hash_mark(lang: str) -> str:
    """Return the two digits with which all hashes of a language begin; few languages share them."""
    return digest(lang.encode())[:2]


def shown_purposes(config: Config, lang: str, asked: Sequence[Purpose] = ()) -> tuple[ShownPurpose, ...]:
    """Return these purposes (by default all that visitors see) in the shop's words if it gave some, else in ours."""
    asked = asked or config.asked
    texts = texts_of(lang)
    renamed = texts["shop"] if config.purpose_preset == SHOP else {}
    own = {
        purpose.id: texts["purposes"].get(purpose.id, {}) | renamed.get(purpose.id, {}) for purpose in asked
    }
    return tuple(
        ShownPurpose(
            id=purpose.id,
            title=text_in(purpose.title, lang) or own[purpose.id].get("title", purpose.id),
            description=text_in(purpose.description, lang) or own[purpose.id].get("description", ""),
            vendors=tuple(vendor for vendor in config.vendors if vendor.purpose == purpose.id),
            takes_undeclared=purpose.id == config.undeclared,
        )
        for purpose in asked
    )


def fill(text: str, name: str, value: str) -> str:
    """Return the text with `{name}` replaced by the value."""
    # Bidi isolates (left-to-right, else first-strong) keep "2026-11" in order inside an Arabic sentence.
    return text.replace(f"{{{name}}}", f"{LRI if value.isascii() else FSI}{value}{PDI}")


def date_text(when: datetime, lang: str) -> str:
    """Return date and time as this language writes them."""
    form = str(texts_of(lang)["meta"]["date"])
    return form.format(**date_parts(when, lang), time=f"{when:%H:%M}")


def duration_text(count: int, unit: str, lang: str) -> str:
    """Return a length of time in this language, with its plural: `13`, `"month"` as "13 months"."""
    form = _plural(texts_of(lang)["meta"]["plural"])(count)
    return str(texts_of(lang)["durations"][unit][int(form)]).format(count=count)


@cache
def _plural(rule: str) -> Callable[[int], int]:
    """Return a function from a count to the number of its plural form, from a rule in gettext's Plural-Forms syntax."""
    return c2py(rule)
