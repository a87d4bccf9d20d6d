"""A remember-me series: one browser may continue it, two may not, and a lost answer costs the customer nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.errors import CookieGuardError
from cookieguard.identity import Identity
from cookieguard.identity.remember_me import (
    IN_FLIGHT,
    LOST_AFTER,
    Link,
    Outcome,
    Series,
    link_of,
    see,
    series_of,
    use,
)
from cookieguard.identity.revocations import Revocation, Revocations, Revoked

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MOMENT = round(NOW.timestamp() * 1000)
SOON = IN_FLIGHT - timedelta(seconds=1)
LATER = IN_FLIGHT + timedelta(seconds=1)
LONG = LOST_AFTER + timedelta(seconds=1)
FRESH = Series(customer="17", authenticated=MOMENT, ends=MOMENT + 90 * 86_400_000, rotated=MOMENT)
# The browser came with 4 and was given 5.
ROTATED = replace(FRESH, current=5, previous=4)
SEEN = replace(ROTATED, is_seen=True)


@pytest.mark.parametrize(
    ("series", "number", "after", "outcome", "current"),
    [
        pytest.param(FRESH, 1, LONG, Outcome.GOOD, 2, id="the first use"),
        pytest.param(ROTATED, 5, LATER, Outcome.GOOD, 6, id="the current one rotates, seen or not"),
        pytest.param(SEEN, 5, LATER, Outcome.GOOD, 6, id="and seen"),
        pytest.param(ROTATED, 4, SOON, Outcome.GOOD, 5, id="another tab"),
        pytest.param(SEEN, 4, SOON, Outcome.GOOD, 5, id="another tab, after one has gone on"),
        pytest.param(ROTATED, 4, LATER, Outcome.GOOD, 5, id="an answer that is slow"),
        pytest.param(ROTATED, 4, LONG, Outcome.GOOD, 6, id="an answer that was lost"),
        pytest.param(SEEN, 4, LATER, Outcome.COPY, 5, id="somebody else has gone on"),
        pytest.param(ROTATED, 3, SOON, Outcome.COPY, 5, id="the one before the one before"),
        pytest.param(replace(ROTATED, current=6), 5, SOON, Outcome.COPY, 6, id="it was not lost after all"),
        pytest.param(ROTATED, 6, SOON, Outcome.OVER, 5, id="of a newer store"),
        pytest.param(ROTATED, 5, timedelta(days=90), Outcome.OVER, 6, id="outlived"),
        pytest.param(ROTATED, 4, timedelta(seconds=-50), Outcome.GOOD, 5, id="on a clock that is behind"),
    ],
)
def test_number_of_a_series_gives_the_outcome_of_its_age(
    series: Series, number: int, after: timedelta, outcome: Outcome, current: int
) -> None:
    result, left = use(series, number, now=NOW + after)

    assert (result, left.current) == (outcome, current)


@pytest.mark.parametrize(
    ("number", "after", "outcome"),
    [(5, LONG, Outcome.GOOD), (4, SOON, Outcome.GOOD), (4, LATER, Outcome.COPY), (6, SOON, Outcome.OVER)],
)
def test_a_session_shows_whether_its_number_arrived(number: int, after: timedelta, outcome: Outcome) -> None:
    result, left = see(ROTATED, number, now=NOW + after)

    assert (result, left.is_seen) == (outcome, number == 5)


def test_a_series_is_kept_as_it_is_and_nothing_else_is_one() -> None:
    assert series_of(SEEN.encode()) == SEEN
    for value in (b"", b"[]", b"{}", SEEN.encode().replace(b'"n":5', b'"n":true'), b"\xff", b"{" * 99):
        assert series_of(value) is None


@pytest.mark.parametrize("value", [[], ["a", "b"], ["a", True, False], [1, 1, False], "abc", 7])
def test_what_is_no_link_is_malformed(value: object) -> None:
    with pytest.raises(TypeError):
        link_of(value)
    assert link_of(["a", 1, True]) == Link("a", 1, is_remembered=True)


def test_without_a_store_a_login_that_is_to_be_remembered_says_which_setting_is_off(browser: object) -> None:
    with (
        browser.request() as visit,  # type: ignore[attr-defined]
        pytest.raises(CookieGuardError, match=r"store\.enabled"),
    ):
        visit.session.login("17", remember=True)
    assert visit.session.customer is None


def test_series_that_were_ended_too_long_ago_to_be_kept_do_not_come_back() -> None:
    revocations = Revocations(lambda: True, limit=1)
    revocations.add(
        Revocation(Revoked.SERIES, f"s{number}", MOMENT + number, MOMENT * 2) for number in (1, 2)
    )
    revocations.prune(NOW)

    assert revocations.is_series_over("s1", customer="17", authenticated=MOMENT)
    assert revocations.is_series_over("s2", customer="17", authenticated=MOMENT * 2)
    assert not revocations.is_series_over("s3", customer="17", authenticated=MOMENT * 2)


def test_many_logouts_end_no_series() -> None:
    revocations = Revocations(lambda: True, limit=1)
    revocations.add(
        Revocation(Revoked.SESSION, f"s{number}", MOMENT + number, MOMENT * 2) for number in (1, 2)
    )
    revocations.prune(NOW)

    assert revocations.cutoff == MOMENT  # never ahead of now
    assert not revocations.is_series_over("s3", customer="17", authenticated=MOMENT)


def test_a_remember_cookie_without_an_age_remembers_as_long_as_a_session_may_live(browser: object) -> None:
    spec = replace(CookieSettings().remember, max_age=0)
    identity = Identity(
        browser.keyring,  # type: ignore[attr-defined]
        replace(CookieSettings(), remember=spec),
        IdentitySettings(absolute_days=30),
    )

    assert identity.life.remembered == timedelta(days=30)


@dataclass
class Party:
    """A browser with the remember-me cookie: `number` is the cookie's, `unseen` its session's."""

    number: int
    unseen: int = 0
    is_in: bool = False


class TwoParties(RuleBasedStateMachine):
    """A victim, a thief who copies the cookie at any time, tabs, lost answers, a clock.

    Each comes as a browser does: a use when its session is gone, then more pages.
    """

    def __init__(self) -> None:
        super().__init__()
        self.series: Series | None = FRESH
        self.now = NOW
        self.victim = Party(1)
        self.thief: Party | None = None

    def party(self, name: str) -> Party | None:
        return self.victim if name == "victim" else self.thief

    def come(self, name: str, *, arrives: bool = True) -> None:
        party = self.party(name)
        if party is None or self.series is None:
            return
        party.is_in = False  # a browser presents its number where its session is gone
        outcome, after = use(self.series, party.number, now=self.now)
        self.keep(outcome, after)
        if self.series is not None and arrives:
            party.number = party.unseen = self.series.current
            party.is_in = True

    def look_around(self, name: str) -> None:
        party = self.party(name)
        if party is None or self.series is None or not (party.is_in and party.unseen):
            return
        outcome, after = see(self.series, party.unseen, now=self.now)
        self.keep(outcome, after)
        if outcome is Outcome.GOOD:
            party.unseen = 0

    def keep(self, outcome: Outcome, series: Series) -> None:
        if outcome is Outcome.GOOD:
            self.series = series
            return
        self.series = None
        for party in (self.victim, self.thief):
            if party is not None:
                party.is_in = False

    @rule(name=st.sampled_from(["victim", "thief"]), arrives=st.booleans())
    def comes_without_a_session(self, name: str, arrives: bool) -> None:
        self.come(name, arrives=arrives)

    @rule(name=st.sampled_from(["victim", "thief"]))
    def opens_another_page(self, name: str) -> None:
        self.look_around(name)

    @precondition(lambda self: self.thief is None)
    @rule()
    def is_copied(self) -> None:
        self.thief = Party(self.victim.number)

    @rule(seconds=st.sampled_from([1, 30, 61, 300, 601, 86_400]))
    def waits(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.thief is not None)
    @rule(order=st.permutations(["victim", "thief"]), pages=st.integers(0, 2))
    def both_use_it(self, order: list[str], pages: int) -> None:
        """Let one come, then the other, then the first again; with pages in between both show sooner."""
        for name in (*order, order[0]):
            self.now += LONG
            self.come(name)
            for _ in range(pages):
                self.look_around(name)

        assert self.series is None
        assert not self.victim.is_in
        assert self.thief is not None
        assert not self.thief.is_in

    @invariant()
    def who_is_alone_is_never_taken_for_two(self) -> None:
        assert self.thief is not None or self.series is not None


TwoParties.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTwoParties = TwoParties.TestCase
