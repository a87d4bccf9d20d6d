"""What a visitor is told of a consent that was not chosen here, and the owner of a banner in two languages."""

from __future__ import annotations

from collections.abc import Mapping

from cookieguard.config import Config
from cookieguard.config.languages import language_of
from cookieguard.consent import Consent, Source

# Texts of the languages, by where it comes from
FOLLOWED = {Source.PROFILE: "followed", Source.SIGNAL: "signalled"}


def control_notice(consent: Consent, control: Mapping[str, str], *, is_new: bool) -> str:
    """Return in few words, for every page, why no banner asked; nothing where the visitor chose here.

    With `is_new` the control says already that the choice is saved, and whether it waits.
    """
    if consent.gpc and not consent.is_beyond_necessary:
        return control["gpc"]
    if consent.is_waiting:
        return "" if is_new else control["pending"]
    return control["followed"] if consent.source in FOLLOWED else ""


def page_notices(consent: Consent, texts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the same in sentences, for the page of choices."""
    page = texts["page"]
    notices = [texts["control"]["pending"]] if consent.is_waiting else []
    notices += [_signal_text(consent, page)] if consent.gpc else []
    return notices + ([page[FOLLOWED[consent.source]]] if consent.source in FOLLOWED else [])


def _signal_text(consent: Consent, page: Mapping[str, str]) -> str:
    if consent.is_beyond_necessary:
        return page["agreed"]
    return f"{page['gpc']} {page['overruled']}" if consent.is_overruled else page["gpc"]


def mixed_languages(config: Config, lang: str) -> str:
    """Tell the owner that one text of the shop's stood among ours of another language, and how it stands alone."""
    default = language_of(config.consent.language)
    named = ", ".join(f"purposes.{one.id}" for one in config.purposes if one.has_one_text)
    return (
        f"{named}: one text is used for every language and consent.language is {default!r}, but a banner was shown in "
        f"{lang!r}, so it mixed two languages; give a text for each, "
        f'title = {{ {default} = "...", {lang} = "..." }}, or set consent.language = {lang!r}'
    )
