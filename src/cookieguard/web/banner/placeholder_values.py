"""The values that the templates of a placeholder show: who is held, on which page, in which language."""

from __future__ import annotations

from typing import NamedTuple


class Offer(NamedTuple):
    """Hold who is held, for what purpose, and which buttons would let the party in."""

    party: str  # its name in the register
    name: str
    purpose: str
    once: bool
    always: bool
    host: str = ""  # set if the name comes from the catalogue, not from the shop's declaration

    @property
    def whose(self) -> str:
        """Return the name, with the host if the shop did not declare the party."""
        return f"{self.name} ({self.host})" if self.host else self.name


LIGHT, DARK = "light", "dark"


def page_scheme(text: str) -> str:
    """Return the color scheme of a page, from the text of its `color-scheme`: `light`, `dark` or `light dark`."""
    words = text.lower().split()
    return " ".join(scheme for scheme in (LIGHT, DARK) if scheme in words) or LIGHT


class Place(NamedTuple):
    """Describe a placeholder. `next` is its page; if empty, the Referer of the post names the page."""

    lang: str
    base: str
    offer: Offer
    next: str
    anchor: str
    title: str = ""  # the element's title in the page
    # The page's `color-scheme`. In a frame, `prefers-color-scheme` is that of the system, not of the page around it.
    scheme: str = LIGHT
    links_say: bool = False  # links name the language, since Accept-Language would give another one
    value: str = ""  # the form's value
