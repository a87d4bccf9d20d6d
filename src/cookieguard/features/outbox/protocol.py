"""What the outbox takes and gives: messages of a run, and what became of them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from cookieguard.errors import CookieGuardError


class OutboxDown(CookieGuardError):
    """Say that the outbox could not be asked; the reason holds no URL and no address."""


class State(IntEnum):
    """Name where a message is; the numbers stand in the tables."""

    WAITING = 0
    CLAIMED = 1
    """A sender has it, and has not begun to hand it over."""
    HANDING = 2
    """It may be at the relay already: whoever finds it so after its lease cannot know, and says so."""
    SENT = 3
    REFUSED = 4


class Row(NamedTuple):
    """Hold a message to be: whose (a name that tells nobody who it is), and the sealed recipient."""

    who: str
    recipient: str


class Claimed(NamedTuple):
    """Hold a message that is leased to this sender; `tries` counts this one."""

    run: str
    who: str
    recipient: str
    tries: int
    uncertain: int


class Outcome(NamedTuple):
    """Say what became of a message: its state, the relay's reply, and for one that waits how many seconds.

    `is_uncertain`: nobody knows whether the relay took it.
    """

    run: str
    who: str
    state: State
    reply: str = ""
    delay: float = 0.0
    is_uncertain: bool = False
