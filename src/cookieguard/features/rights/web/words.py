"""Texts on a request's staff page: a preview of what the person will read, and the policy that they object to."""

from __future__ import annotations

import re
from typing import Any

from cookieguard.features.rights.notifications import Letters
from cookieguard.features.rights.values.answers import RightsTexts
from cookieguard.features.rights.values.requests import Act, Request, clean
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.rights.web.page import request_shown
from cookieguard.web.exchange import Exchange

FIRST_SHOWN = (Act.DONE, Act.REFUSED, Act.EXTENDED, Act.HELD)
"""The acts with a preview: staff first see the texts as the person will read them."""
QUOTE = 4  # words in a row count as a quotation
WORD = re.compile(r"\w+")


def purpose_of(fields: dict[str, str]) -> str:
    """Return the purpose of the form that confirms this act; it covers the exact words, so it confirms no others."""
    act, id_, until, text = (fields.get(name, "") for name in ("act", "id", "until", "text"))
    return "\0".join((act, id_, until, clean(text)))


def read_by_person(exchange: Exchange, letters: Letters, after: Request, act: Act) -> dict[str, Any]:
    """Return the mail and the request on the privacy page as the person will read them, in their language."""
    lang, subject, lines = letters.mail_of(after, now=exchange.now)
    rights = exchange.parts.config.rights
    may_have_address = "@" in after.contact or (bool(after.customer and rights.hooks) and not after.contact)
    is_mailed = act is not Act.HELD and letters.can_send and may_have_address
    page = request_shown(after, exchange, RightsTexts.of(lang)) if after.customer and rights.enabled else None
    return {"lang": lang, "mail": (subject, "\n".join(lines)) if is_mailed else None, "page": page}


def passages_of(exchange: Exchange, request: Request) -> list[tuple[str, bool]]:
    """Return the paragraphs of the policy version that an objection is about, and whether it quotes each.

    Other requests have none.
    """
    policy, config = exchange.parts.policy, exchange.parts.config
    texts = policy.texts_of(request.policy) if policy.is_on and request.kind is RequestKind.OBJECT else {}
    found = (
        texts.get(request.language) or texts.get(config.language_for("")) or next(iter(texts.values()), None)
    )
    if found is None:
        return []
    _, _, text = (
        found[1].decode("utf-8", "replace").replace("\r\n", "\n").removeprefix("---\n").partition("\n---\n")
    )
    quotes = _runs(request.text)
    paragraphs = (part.strip() for part in re.split(r"\n\s*\n", text))
    return [(part, not quotes.isdisjoint(_runs(part))) for part in paragraphs if part]


def _runs(text: str) -> set[tuple[str, ...]]:
    words = WORD.findall(text.casefold())
    return {tuple(words[at : at + QUOTE]) for at in range(len(words) - QUOTE + 1)}
