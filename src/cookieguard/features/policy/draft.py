"""The draft of the next version: the fields of its form in the store, and the files that they become."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date

from cookieguard.config import Config
from cookieguard.config.languages import language_of
from cookieguard.errors import AnnouncementRefused
from cookieguard.features.policy.values.versions import Version, versions_of
from cookieguard.storage.store.values import WholeValue

Draft = Mapping[str, str]
"""Fields of the form by name, with who saved it (`by`) and when (`at`); empty if there is no draft."""
DRAFT: WholeValue[Draft] = WholeValue("policy", "draft", json.loads, lambda draft: json.dumps(draft).encode())
FIELD = re.compile(r"effective|material|(?:summary|text)-[A-Za-z-]{2,20}")
TEXT = "text-"


def draft_of(fields: Mapping[str, str], before: Draft, *, by: str, at: str) -> Draft:
    """Return the draft that a member posted; raises AnnouncementRefused if another one was saved meanwhile."""
    if before.get("at", "") != fields.get("at", ""):
        who = before.get("by", "another member")
        raise AnnouncementRefused(
            f"{who} changed the draft meanwhile; copy your text and open the draft again"
        )
    kept = {name: text.replace("\r\n", "\n") for name, text in fields.items() if FIELD.fullmatch(name)}
    return {**kept, "by": by, "at": at}


def files_of(draft: Draft, today: date) -> dict[str, bytes]:
    """Return the files by name, as they lie in a version's folder; a language without a text has none."""
    days = f"announced: {today}\neffective: {draft.get('effective', '')}"
    head = f"---\n{days}\nmaterial: {draft.get('material', '')}\nsummary:\n"
    files = {}
    for name, text in draft.items():
        if name.startswith(TEXT) and text.strip():
            language = name.removeprefix(TEXT)
            lines = filter(None, map(str.strip, draft.get(f"summary-{language}", "").split("\n")))
            summary = "".join(f"  - {line}\n" for line in lines)
            files[f"{language}.md"] = f"{head}{summary}---\n{text.strip()}\n".encode()
    return files


def with_draft(before: Sequence[Version], draft: Draft, config: Config, today: date) -> tuple[Version, ...]:
    """Return the versions with the one that a draft would be; raises CookieGuardError that says what is wrong."""
    name, files = draft.get("effective", ""), files_of(draft, today)
    if name in {one.name for one in before}:
        raise AnnouncementRefused(
            f"{name} is a version in policy.folder; choose another day, or discard the draft"
        )
    folders = {
        one.name: {f"{language}.md": file for language, (_, file) in one.sources.items()} for one in before
    }
    language, days = language_of(config.consent.language), config.policy.notice_days
    return versions_of({**folders, name: files}, language=language, notice_days=days)
