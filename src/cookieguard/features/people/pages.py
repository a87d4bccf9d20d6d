"""The pages where staff sign in, and where a customer lets support in."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.people.permission_page import PERMISSION_PAGE, answer_permission
from cookieguard.features.people.staff_sign_in import STAFF_PAGE, answer_staff
from cookieguard.web.parts.page import READ_AND_POST, Page
from cookieguard.web.services import Services

SIGN_IN = Page(STAFF_PAGE, READ_AND_POST, answer_staff)
PERMISSION = Page(PERMISSION_PAGE, READ_AND_POST, answer_permission)


def pages_of(parts: Services) -> Sequence[Page]:
    """Return the pages; without sessions there is no customer who could let anybody in."""
    return (SIGN_IN,) if parts.identity is None else (SIGN_IN, PERMISSION)
