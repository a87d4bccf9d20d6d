"""The frame around the content of every staff page: navigation, title of the current place, signed-in member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cookieguard.web.parts.part import OVERVIEW_PAGE as OVERVIEW_PAGE


class Place(NamedTuple):
    """Describe a link of the navigation: its title, its page below the prefix, and its query."""

    title: str
    page: str
    query: str = ""


# In the order of the navigation; a place is shown to members who may open its page.
PLACES = (
    Place("Overview", OVERVIEW_PAGE),
    Place("Due", "due"),
    Place("Statistics", "stats"),
    Place("Consent", "stats", "?tab=consent"),
    Place("Vendors", "vendors"),
    Place("Requests", "requests"),
    Place("Policy", "policies"),
    Place("Records", "record"),
    Place("People", "people"),
    Place("Health", "health"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Hold the values of a staff page's frame. Without a signed-in member it has no navigation."""

    base: str = ""
    shop_base: str = ""
    """The address of visitors' pages, which the host of the staff pages does not serve."""
    shop: str = ""
    here: str = ""
    """The title of the current place."""
    places: Sequence[Place] = ()
    """The places that the member may open."""
    name: str = ""
    role: str = ""
    leave: str = ""
    """The hidden value of the form that ends the session; empty if there is no session to end."""
