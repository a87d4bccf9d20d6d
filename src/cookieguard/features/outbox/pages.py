"""The pages behind the links of marketing mail."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.outbox.lists import Act
from cookieguard.features.outbox.mail_page import MAIL_PAGE, answer_mail
from cookieguard.web.parts.page import READ_AND_POST, Page
from cookieguard.web.services import Services


def pages_of(parts: Services) -> Sequence[Page]:
    """Return the pages, none if the shop has no lists."""
    acts = () if parts.lists is None else Act
    return [Page(f"{MAIL_PAGE}{act}", READ_AND_POST, answer_mail) for act in acts]
