"""The values of a placeholder, as banner, embed page and shop's own markup show them: no markup is here."""

from __future__ import annotations

from typing import NamedTuple


class Offer(NamedTuple):
    """Say who is held, for what, and what a click can do about it."""

    party: str  # as the register names it
    name: str
    purpose: str
    once: bool
    always: bool
    host: str = ""  # where the catalogue names whom nobody declared

    @property
    def whose(self) -> str:
        """Return the name, and the host where the shop does not vouch for the name."""
        return f"{self.name} ({self.host})" if self.host else self.name


LIGHT, DARK = "light", "dark"


def page_scheme(said: str) -> str:
    """Return the colours a page can have, from its `color-scheme`: `light`, `dark` or `light dark`."""
    words = said.lower().split()
    return " ".join(one for one in (LIGHT, DARK) if one in words) or LIGHT


class Place(NamedTuple):
    """Describe one placeholder. `next` is the page it is on, empty where the Referer will tell better."""

    lang: str
    base: str
    offer: Offer
    next: str
    anchor: str
    title: str = ""  # what the page calls the element
    # what the page says it can be: a frame is told what the system likes, not what its page is
    scheme: str = LIGHT
    links_say: bool = False  # which language: the browser alone would ask for another one
    value: str = ""  # of the form
