"""The languages that the banner speaks, and texts of the shop's own in some of them."""

from __future__ import annotations

from collections.abc import Mapping

from cookieguard.config.checks import require_text
from cookieguard.errors import ConfigError

LANGUAGES = ("ar", "de", "en")  # a file each in static/lang; a test holds them together
Text = str | Mapping[str, str]  # one for every language, or one for each: `{en = "Chat", de = "Plaudern"}`


def language_of(tag: str) -> str:
    """Return the language that a tag asks for: `de` for `de-AT`."""
    return tag.partition("-")[0].lower()


def require_spoken(setting: str, tag: str) -> None:
    """Require a language tag of a language that the banner speaks."""
    if language_of(tag) not in LANGUAGES:
        raise ConfigError(setting, was=repr(tag), allowed=_named(LANGUAGES))


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


def _named(languages: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, languages))
