"""The languages that the banner speaks, and texts of the shop's own in some of them."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from cookieguard.config.loading.checks import require_text
from cookieguard.errors import ConfigError

FSI, PDI = "\u2068", "\u2069"  # keep a value in order inside a sentence of either direction
# A language is spoken by its file being there; the names are BCP 47 tags.
# They are all read here: where one is spoken first, an event loop would wait for the disk.
FILES = {
    one.name.removesuffix(".toml"): one.read_bytes()
    for one in files("cookieguard.static").joinpath("lang").iterdir()
    if one.name.endswith(".toml")
}
LANGUAGES = tuple(sorted(FILES))
# Other names for what a file may be called, so that each language needs one file: codes that ISO 639 has withdrawn, a
# language within a larger one, and the script that a region writes (CLDR, likely subtags).
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
LONGEST_TAG = 35  # RFC 5646 4.4.1: so much of a tag has to be kept; clients send longer ones
Text = str | Mapping[str, str]  # one for every language, or one for each: `{en = "Chat", de = "Plaudern"}`


@cache
def texts_of(lang: str) -> Mapping[str, Any]:
    """Return all texts of a language, as its file has them: parsed when it is first spoken, once for all guards.

    Parsing all of them takes a quarter of a second, and most shops speak one or two.
    """
    found: Mapping[str, Any] = tomllib.loads(language_file(lang).decode("utf-8"))
    return found


def date_parts(day: date, lang: str) -> dict[str, str]:
    """Return the parts of a date for a language's forms of it: in French, the first of a month is `1er`."""
    meta = texts_of(lang)["meta"]
    number = meta["first"] if day.day == 1 else str(day.day)
    return {"day": number, "month": meta["months"][day.month - 1], "year": str(day.year)}


def day_text(day: date, lang: str) -> str:
    """Return a day as a language writes it."""
    return str(texts_of(lang)["policy"]["date"].format(**date_parts(day, lang)))


class SectionTexts(NamedTuple):
    """Hold the texts of one section for readers of a language."""

    lang: str
    texts: Mapping[str, str]

    def day(self, day: date) -> str:
        """Write a day as the language does."""
        return day_text(day, self.lang)

    def line(self, key: str, /, **values: str | date) -> str:
        """Return a text with its values filled in."""
        text = self.texts[key]
        for name, value in values.items():
            shown = self.day(value) if isinstance(value, date) else value
            text = text.replace(f"{{{name}}}", f"{FSI}{shown}{PDI}")
        return text


def language_file(lang: str) -> bytes:
    """Return the file of a language."""
    return FILES[lang]


def find_language(tag: str, available: Collection[str]) -> str:
    """Return which of `available` a language tag asks for, nothing where none does: `de` for `de-AT`.

    RFC 4647 lookup: subtags are cut off the end until a name fits.
    """
    by_tag = {one.lower(): one for one in available}
    wanted = tag.strip()[:LONGEST_TAG].lower().replace("_", "-")
    while wanted:
        for name in (wanted, OTHER_NAMES.get(wanted, "")):
            if name in by_tag:
                return by_tag[name]
        wanted = wanted.rpartition("-")[0]
    return ""


def language_of(tag: str) -> str:
    """Return the language of ours that a tag asks for: `de` for `de-AT`, `zh-Hant` for `zh-TW`."""
    return find_language(tag, LANGUAGES)


def require_spoken(setting: str, tag: str, languages: tuple[str, ...]) -> None:
    """Require a tag that names one of these languages, with a region or without."""
    if language_of(tag) not in languages:
        raise ConfigError(setting, was=repr(tag), allowed=_named(languages))


def require_texts(setting: str, text: Text, *, longest: int = 500) -> None:
    """Require one line, or one for each of some languages."""
    if isinstance(text, str):
        require_text(setting, text, empty=True, longest=longest)
        return
    for language, one in text.items():
        if language not in LANGUAGES:
            raise ConfigError(
                setting, was=f"a table with {language!r}", allowed=f"one with {_named(LANGUAGES)}"
            )
        require_text(f"{setting}.{language}", one, longest=longest)


def require_languages(setting: str, text: Text, languages: tuple[str, ...]) -> None:
    """Require a text in each of these languages: no banner speaks two."""
    missing = [one for one in languages if one not in text]
    if isinstance(text, str) or missing:
        was = f"a table without {_named(missing)}" if missing and not isinstance(text, str) else "one text"
        raise ConfigError(setting, was=was, allowed=f"a table with {_named(languages)}")


def text_in(text: Text, language: str) -> str:
    """Return a text in a language, empty where there is none."""
    return text if isinstance(text, str) else text.get(language, "")


def nearest_text(text: Text, *languages: str) -> tuple[str, str]:
    """Return a text in the first of these languages that it has, else in its own first one, and which language that is.

    One text for all has no language: the second is empty.
    """
    if isinstance(text, str):
        return text, ""
    there = [name for name, told in text.items() if told]
    language = next(filter(None, (find_language(one, there) for one in (*languages, *there))), "")
    return text.get(language, ""), language


def _named(languages: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, languages))
