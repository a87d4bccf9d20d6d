"""What a visitor is told about a consent that did not come from a choice in this browser."""

from __future__ import annotations

from collections.abc import Mapping

from cookieguard.consent import Consent, Source

FOLLOWED = {
    Source.PROFILE: "followed",
    Source.SIGNAL: "signalled",
}  # texts of the languages, by where it comes from


def control_notice(consent: Consent, control: Mapping[str, str]) -> str:
    """Say in few words, on every page, why no banner asked; nothing where the visitor chose here."""
    if consent.gpc and not consent.is_beyond_necessary:
        return control["gpc"]
    return control["followed"] if consent.source in FOLLOWED else ""


def page_notices(consent: Consent, page: Mapping[str, str]) -> list[str]:
    """Say the same in sentences, for the page of choices."""
    notices = [_signal_text(consent, page)] if consent.gpc else []
    return notices + ([page[FOLLOWED[consent.source]]] if consent.source in FOLLOWED else [])


def _signal_text(consent: Consent, page: Mapping[str, str]) -> str:
    if consent.is_beyond_necessary:
        return page["agreed"]
    return f"{page['gpc']} {page['overruled']}" if consent.is_overruled else page["gpc"]
