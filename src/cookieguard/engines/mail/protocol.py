"""What an outbox is to those who use it: messages of a run, each leased to one sender at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from cookieguard.errors import CookieGuardError
from cookieguard.policy.ledger import Run


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


class Outbox(Protocol):
    """Keep the messages of runs. Used by one thread at a time; raises OutboxDown where it cannot be asked.

    Times are durations: the engine has the one clock that all senders share.
    """

    def begin(self, run: str, secret: str) -> str:
        """Make a run where there is none; return its secret, the first one that was given."""

    def add(self, run: str, rows: Sequence[Row], state: State = State.WAITING, reply: str = "") -> int:
        """Add messages in one transaction, and return how many are new: each `who` has one message of a run."""

    def fill(self, run: str) -> None:
        """Note that all messages of a run are there; before nobody is sent one."""

    def claim(self, runs: Sequence[str], count: int, *, lease: str, seconds: float) -> list[Claimed]:
        """Lease so many messages that are due, or whose lease is over; no two callers get the same."""

    def step(
        self, handing: Sequence[tuple[str, str]], outcomes: Sequence[Outcome], *, lease: str, seconds: float
    ) -> set[tuple[str, str]]:
        """Note outcomes, and which messages (run, who) are about to be handed over; in one transaction.

        Returns those that may be: another sender has the others by now.
        """

    def count(self, run: str) -> Run:
        """Count the messages of a run."""

    def replies(self, run: str) -> Mapping[str, int]:
        """Count what relays said to those that are not sent."""

    def wait(self, runs: Sequence[str]) -> float | None:
        """Return in how many seconds the next message is due; None where none waits."""

    def secrets(self) -> Mapping[str, str]:
        """Return the secret of each run."""

    def withdraw(self, run: str, who: str) -> None:
        """Delete a message of a run that is not sent yet."""
        ...

    def forget(self, run: str) -> None:
        """Delete a run and its messages."""

    def close(self) -> None:
        """Let go of the connection; never raises."""
