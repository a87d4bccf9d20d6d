"""Short notices: for visitors, why no banner asked them; for the owner, that a banner mixed two languages."""

from __future__ import annotations

from collections.abc import Mapping

from cookieguard.config import Config
from cookieguard.config.languages import language_of
from cookieguard.consent import Consent, Source

# The text in static/lang/ for each source of a choice that was not made on this site
FOLLOWED = {Source.PROFILE: "followed", Source.SIGNAL: "signalled"}


def control_notice(consent: Consent, control: Mapping[str, str], *, is_new: bool) -> str:
    """Return in a few words, for the control, why no banner asked; empty if the visitor chose here.

    With `is_new` the control itself shows that the choice is saved or pending.
    """
    if consent.gpc and not consent.is_beyond_necessary:
        return control["gpc"]
    if consent.is_waiting:
        return "" if is_new else control["pending"]
    return control["followed"] if consent.source in FOLLOWED else ""


def page_notices(consent: Consent, texts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the notices of `control_notice` as whole sentences, for the page of choices."""
    page = texts["page"]
    notices = [texts["control"]["pending"]] if consent.is_waiting else []
    notices += [_signal_text(consent, page)] if consent.gpc else []
    return notices + ([page[FOLLOWED[consent.source]]] if consent.source in FOLLOWED else [])


def _signal_text(consent: Consent, page: Mapping[str, str]) -> str:
    if consent.is_beyond_necessary:
        return page["agreed"]
    return f"{page['gpc']} {page['overruled']}" if consent.is_overruled else page["gpc"]


def mixed_languages(config: Config, lang: str) -> str:
    """Return the warning that a banner mixed two languages, since the shop gave a text in one of them only."""
    default = language_of(config.consent.language)
    named = ", ".join(f"purposes.{purpose.id}" for purpose in config.purposes if purpose.has_one_text)
    return (
        f"{named}: one text is used for every language and consent.language is {default!r}, but a banner was shown in "
        f"{lang!r}, so it mixed two languages; give a text for each, "
        f'title = {{ {default} = "...", {lang} = "..." }}, or set consent.language = {lang!r}'
    )
