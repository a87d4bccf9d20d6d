"""The languages of the banner and the pages for visitors, and checks of texts that the shop writes in them."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from cookieguard.config.loading.checks import require_text
from cookieguard.errors import ConfigError

FSI, PDI = "\u2068", "\u2069"  # isolate a value's direction inside a right-to-left or left-to-right sentence
# Each language has a file, named by its BCP 47 tag. All are read at import, so that no event loop waits for the disk.
FILES = {
    file.name.removesuffix(".toml"): file.read_bytes()
    for file in files("cookieguard.static").joinpath("lang").iterdir()
    if file.name.endswith(".toml")
}
LANGUAGES = tuple(sorted(FILES))
# Other tags for a language that has a file: codes that ISO 639 has withdrawn, a member of a macrolanguage, and the
# script that a region writes (CLDR, likely subtags).
OTHER_NAMES = {
    "arb": "ar",
    "cmn": "zh-hans",
    "in": "id",
    "iw": "he",
    "mo": "ro",
    "nn": "nb",
    "no": "nb",
    "pes": "fa",
    "prs": "fa",
    "yue": "zh-hant",
    "zh": "zh-hans",
    "zh-hk": "zh-hant",
    "zh-mo": "zh-hant",
    "zh-tw": "zh-hant",
}
LONGEST_TAG = 35  # characters that RFC 5646 4.4.1 requires to be kept; clients may send longer tags
Text = str | Mapping[str, str]  # one text for every language, or a table: `{en = "Chat", de = "Plaudern"}`


@cache
def texts_of(lang: str) -> Mapping[str, Any]:
    """Return all texts of a language, as its file has them. The file is parsed at first use, once for all guards.

    Parsing every language would take a quarter of a second, and most shops use one or two.
    """
    found: Mapping[str, Any] = tomllib.loads(FILES[lang].decode("utf-8"))
    return found


def date_parts(day: date, lang: str) -> dict[str, str]:
    """Return the parts of a date for a language's date format; in French, the first day of a month is `1er`."""
    meta = texts_of(lang)["meta"]
    number = meta["first"] if day.day == 1 else str(day.day)
    return {"day": number, "month": meta["months"][day.month - 1], "year": str(day.year)}


def day_text(day: date, lang: str) -> str:
    """Return a day as a language writes it."""
    return str(texts_of(lang)["policy"]["date"].format(**date_parts(day, lang)))


class SectionTexts(NamedTuple):
    """Hold the texts of one section in one language."""

    lang: str
    texts: Mapping[str, str]

    def day(self, day: date) -> str:
        """Return a day as the language writes it."""
        return day_text(day, self.lang)

    def line(self, key: str, /, **values: str | date) -> str:
        """Return a text with its values filled in."""
        text = self.texts[key]
        for name, value in values.items():
            shown = self.day(value) if isinstance(value, date) else value
            text = text.replace(f"{{{name}}}", f"{FSI}{shown}{PDI}")
        return text


def find_language(tag: str, available: Collection[str]) -> str:
    """Return the entry of `available` that a language tag matches, such as `de` for `de-AT`; "" if none does.

    RFC 4647 lookup: subtags are removed from the end until a name matches.
    """
    by_tag = {name.lower(): name for name in available}
    wanted = tag.strip()[:LONGEST_TAG].lower().replace("_", "-")
    while wanted:
        for name in (wanted, OTHER_NAMES.get(wanted, "")):
            if name in by_tag:
                return by_tag[name]
        wanted = wanted.rpartition("-")[0]
    return ""


def language_of(tag: str) -> str:
    """Return the language with a file that a tag matches: `de` for `de-AT`, `zh-Hant` for `zh-TW`."""
    return find_language(tag, LANGUAGES)


def require_spoken(setting: str, tag: str, languages: tuple[str, ...]) -> None:
    """Require a tag that names one of these languages, with a region or without."""
    if language_of(tag) not in languages:
        raise ConfigError(setting, was=repr(tag), allowed=_named(languages))


def require_texts(setting: str, text: Text, *, longest: int = 500) -> None:
    """Require one line of text, or a table with a line for each of some languages."""
    if isinstance(text, str):
        require_text(setting, text, empty=True, longest=longest)
        return
    for language, line in text.items():
        if language not in LANGUAGES:
            raise ConfigError(
                setting, was=f"a table with {language!r}", allowed=f"one with {_named(LANGUAGES)}"
            )
        require_text(f"{setting}.{language}", line, longest=longest)


def require_languages(setting: str, text: Text, languages: tuple[str, ...]) -> None:
    """Require a text in each of these languages, so that no banner mixes two."""
    missing = [language for language in languages if language not in text]
    if isinstance(text, str) or missing:
        was = f"a table without {_named(missing)}" if missing and not isinstance(text, str) else "one text"
        raise ConfigError(setting, was=was, allowed=f"a table with {_named(languages)}")


def text_in(text: Text, language: str) -> str:
    """Return a text in a language, "" if it has none."""
    return text if isinstance(text, str) else text.get(language, "")


def nearest_text(text: Text, *languages: str) -> tuple[str, str]:
    """Return a text and its language: the first of these languages that the text has, or else its own first one.

    A text that is the same for all languages has the language "".
    """
    if isinstance(text, str):
        return text, ""
    there = [name for name, line in text.items() if line]
    language = next(filter(None, (find_language(tag, there) for tag in (*languages, *there))), "")
    return text.get(language, ""), language


def _named(languages: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, languages))
