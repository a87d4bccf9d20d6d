"""The page of the policy, with its versions below it."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.features.policy.policy_page import POLICY_PAGE, show_policy
from cookieguard.features.policy.values import markdown
from cookieguard.web.parts.page import READ, Page
from cookieguard.web.services import Services


def pages_of(parts: Services) -> Sequence[Page]:
    """Return the pages, none if the shop serves its policy itself."""
    if parts.policy is None:
        return ()
    markdown.prepare()
    return Page(POLICY_PAGE, READ, show_policy), Page(f"{POLICY_PAGE}/", READ, show_policy)
