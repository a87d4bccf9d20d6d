"""The deadline of a request: the law's days, in time and late, paused and extended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from cookieguard.config.languages import texts_of
from cookieguard.features.rights.values.as_json import dumps, loads
from cookieguard.features.rights.values.by_staff import Said, acted
from cookieguard.features.rights.values.plan import BY_WORDS, WORK
from cookieguard.features.rights.values.requests import (
    Act,
    Request,
    RequestRefused,
    State,
    Via,
    answer_told,
    by_days_left,
    clean,
    noted,
    put_on_hold,
    step_done,
    with_retained,
)
from cookieguard.features.rights.values.rules import RULES, Law, RequestKind, Span

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def request(
    kind: RequestKind = RequestKind.ERASE,
    law: Law = Law.GDPR,
    received: datetime = NOON,
    *steps: str,
    id_: str = "r1",
) -> Request:
    return Request(
        id=id_, kind=kind, law=law, received=received, via=Via.LOGIN, customer="10001", steps=steps
    )


def letter(law: Law = Law.GDPR) -> Request:
    """Return a request that came by mail: who wrote it may be in doubt."""
    return replace(request(law=law), via=Via.STAFF, entered_by="mira")


@pytest.mark.parametrize(
    ("span", "day", "end"),
    [
        (Span(months=1), date(2026, 11, 28), date(2026, 12, 28)),
        (Span(months=1), date(2026, 12, 31), date(2027, 1, 31)),
        (Span(months=1), date(2027, 1, 31), date(2027, 2, 28)),
        (Span(months=1), date(2028, 1, 30), date(2028, 2, 29)),
        (Span(months=3), date(2026, 11, 30), date(2027, 2, 28)),
        (Span(days=45), date(2026, 11, 28), date(2027, 1, 12)),
        (Span(days=90), date(2026, 11, 28), date(2027, 2, 26)),
        (Span(working_days=15), date(2026, 11, 27), date(2026, 12, 18)),  # a Friday
        (Span(working_days=15), date(2026, 11, 28), date(2026, 12, 18)),  # a Saturday
    ],
)
def test_length_of_time_ends_as_laws_count_it(span: Span, day: date, end: date) -> None:
    assert span.after(day) == end


def test_every_kind_has_a_rule_of_every_law_with_its_source() -> None:
    assert set(RULES) == {(law, kind) for law in Law for kind in RequestKind}
    assert all(rule.source for rule in RULES.values())


def test_month_ends_on_its_day_and_is_late_on_the_next() -> None:
    one = request()

    assert one.due(NOON) == date(2026, 12, 28)
    assert one.days_left(datetime(2026, 12, 28, 23, 59, tzinfo=UTC)) == 0
    assert one.days_left(datetime(2026, 12, 29, tzinfo=UTC)) == -1


LOS_ANGELES, AUCKLAND, AMSTERDAM = "America/Los_Angeles", "Pacific/Auckland", "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("zone", "received", "day", "due"),
    [
        # The evening of 31 January in Los Angeles, when it is February in Greenwich.
        (LOS_ANGELES, datetime(2027, 2, 1, 4, tzinfo=UTC), date(2027, 1, 31), date(2027, 2, 28)),
        (LOS_ANGELES, datetime(2028, 2, 1, 4, tzinfo=UTC), date(2028, 1, 31), date(2028, 2, 29)),
        (LOS_ANGELES, datetime(2028, 3, 1, 4, tzinfo=UTC), date(2028, 2, 29), date(2028, 3, 29)),
        # The morning of 1 March in Auckland, when it is February in Greenwich.
        (AUCKLAND, datetime(2027, 2, 28, 20, tzinfo=UTC), date(2027, 3, 1), date(2027, 4, 1)),
        # The hour that is there twice, and the midnights of days with 23 and 25 hours.
        (AMSTERDAM, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), date(2026, 10, 25), date(2026, 11, 25)),
        (AMSTERDAM, datetime(2026, 10, 24, 22, tzinfo=UTC), date(2026, 10, 25), date(2026, 11, 25)),
        (AMSTERDAM, datetime(2026, 10, 24, 21, 59, tzinfo=UTC), date(2026, 10, 24), date(2026, 11, 24)),
        (AMSTERDAM, datetime(2027, 2, 27, 23, tzinfo=UTC), date(2027, 2, 28), date(2027, 3, 28)),
        ("UTC", datetime(2027, 1, 31, 23, 59, tzinfo=UTC), date(2027, 1, 31), date(2027, 2, 28)),
    ],
)
def test_day_of_receipt_is_the_calendar_s_where_the_shop_is(
    zone: str, received: datetime, day: date, due: date
) -> None:
    one = replace(request(received=received), zone=zone)

    assert one.day(received) == day
    assert one.due(received) == due
    last = datetime.combine(due, time(23, 59), ZoneInfo(zone))
    assert (one.days_left(last), one.days_left(last + timedelta(minutes=1))) == (0, -1)
    assert loads(dumps(one)) == one


def test_last_day_of_a_hold_ends_where_the_shop_is() -> None:
    one = replace(request(), zone=LOS_ANGELES)

    # 15 March 2027 begins an hour after clocks went forward, and ends at seven in the morning in Greenwich.
    assert one.end_of(date(2027, 3, 14)) == datetime(2027, 3, 15, 7, tzinfo=UTC)


def test_hold_until_a_day_that_is_over_is_refused() -> None:
    over, today = (Said("mira", NOON, "a dispute", until=day) for day in (date(2026, 11, 27), NOON.date()))

    with pytest.raises(
        RequestRefused, match="2026-11-27, which is in the past; allowed: today or a later day"
    ):
        acted(letter(), Act.HELD, over, has_hooks=False)

    assert acted(letter(), Act.HELD, today, has_hooks=False).held_until == NOON.date()


def test_clock_stands_only_while_the_person_is_asked_who_they_are() -> None:
    asked = noted(letter(), Act.IDENTITY_ASKED, now=NOON + timedelta(days=1), by="mira")
    later = NOON + timedelta(days=11)
    shown = noted(asked, Act.IDENTITY_SHOWN, now=later, by="mira")

    assert asked.state is State.IDENTITY
    assert asked.due(later) == date(2027, 1, 7)
    assert asked.days_left(later) == asked.days_left(NOON + timedelta(days=1))
    assert shown.state is State.OPEN
    assert shown.due(NOON + timedelta(days=200)) == date(2027, 1, 7)


def test_clock_of_who_is_logged_in_does_not_stand() -> None:
    with pytest.raises(
        RequestRefused, match=r"r1 was made after a fresh login, which proves who asks; only others"
    ):
        noted(request(), Act.IDENTITY_ASKED, now=NOON, by="mira")

    assert (
        noted(replace(request(), via=Via.CODE), Act.IDENTITY_ASKED, now=NOON, by="mira").state
        is State.IDENTITY
    )


def test_clock_of_the_ccpa_never_stands() -> None:
    asked = noted(letter(Law.CCPA), Act.IDENTITY_ASKED, now=NOON, by="mira")

    assert asked.due(NOON + timedelta(days=30)) == date(2027, 1, 12)


@pytest.mark.parametrize(("law", "end"), [(Law.GDPR, date(2027, 2, 28)), (Law.CCPA, date(2027, 2, 26))])
def test_more_time_is_given_once_with_a_reason_within_the_first_span(law: Law, end: date) -> None:
    one = request(law=law)
    with pytest.raises(RequestRefused, match="has no text; allowed: the reason"):
        noted(one, Act.EXTENDED, now=NOON, by="mira", text=" ")
    longer = noted(one, Act.EXTENDED, now=NOON, by="mira", text="40 orders to look through")

    assert longer.due(NOON) == end
    with pytest.raises(RequestRefused, match="once"):
        noted(longer, Act.EXTENDED, now=NOON, by="mira", text="again")
    with pytest.raises(RequestRefused, match="is late"):
        noted(one, Act.EXTENDED, now=NOON + timedelta(days=60), by="mira", text="forgot")


def test_opt_out_of_sale_has_no_more_time() -> None:
    with pytest.raises(RequestRefused, match="7026"):
        noted(request(RequestKind.OPT_OUT, Law.CCPA), Act.EXTENDED, now=NOON, by="mira", text="busy")


def test_request_closes_only_with_an_answer_and_without_open_steps() -> None:
    one = request(RequestKind.ERASE, Law.GDPR, NOON, "shop", "parcel service")
    with pytest.raises(RequestRefused, match="open steps: shop, parcel service"):
        noted(one, Act.DONE, now=NOON, by="mira", text="gone")
    one = step_done(one, "shop", now=NOON, by="cookieguard")
    one = step_done(one, "parcel service", now=NOON, by="mira")
    for act in (Act.DONE, Act.REFUSED):
        with pytest.raises(RequestRefused, match=r"has no text; allowed: the (answer|reason)"):
            noted(one, act, now=NOON, by="mira")
    closed = noted(one, Act.DONE, now=NOON, by="mira", text="All is gone.")

    assert closed.state is State.DONE
    assert closed.answer == "All is gone."
    with pytest.raises(RequestRefused, match="only open requests can be changed"):
        noted(closed, Act.NOTE, now=NOON, by="mira", text="late")


def test_decided_request_stays_open_until_the_person_has_the_answer() -> None:
    done = noted(request(), Act.DONE, now=NOON, by="mira", text="All is gone.")

    assert done.is_open
    assert done.open_steps == ("answer",)
    known = answer_told(done, now=NOON, by="mira", text="by letter")
    assert not known.is_open
    assert answer_told(known, now=NOON, by="mira") == known
    assert answer_told(request(), now=NOON, by="mira") == request()


def test_step_is_done_once_and_only_one_that_is_asked_for() -> None:
    one = step_done(request(RequestKind.ERASE, Law.GDPR, NOON, "shop"), "shop", now=NOON, by="cookieguard")

    assert step_done(one, "shop", now=NOON + timedelta(days=1), by="mira") == one
    with pytest.raises(RequestRefused, match="none is left"):
        step_done(one, "moon", now=NOON, by="mira")


def test_failed_step_is_shown_until_it_is_done() -> None:
    one = request(RequestKind.ERASE, Law.GDPR, NOON, "shop")
    failed = noted(one, Act.FAILED, now=NOON, by="cookieguard", name="shop", text="database is locked")

    assert failed.trouble == "shop: database is locked"
    assert failed.is_open
    assert step_done(failed, "shop", now=NOON, by="cookieguard").trouble == ""


def test_retained_data_are_listed_once_with_reason_and_end() -> None:
    items = [("invoices", date(2036, 12, 31), "tax law")]
    one = with_retained(with_retained(request(), items, now=NOON), items, now=NOON + timedelta(days=1))

    assert [(event.name, event.until, event.text) for event in one.retained] == items
    assert with_retained(one, [], now=NOON).retained == ()
    on_hold = put_on_hold(one, until=date(2027, 1, 1), reason="court", now=NOON, by="mira")
    assert on_hold.held_until == date(2027, 1, 1)


def test_queue_begins_with_what_is_due_first_and_leaves_out_what_is_closed() -> None:
    late = request(id_="late", received=NOON - timedelta(days=40))
    new = request(id_="new")
    closed = noted(request(id_="closed"), Act.WITHDRAWN, now=NOON, by="person")

    assert [one.id for one in by_days_left([new, closed, late], NOON)] == ["late", "new"]


def test_request_comes_back_from_its_text_as_it_was() -> None:
    one = noted(request(RequestKind.OBJECT), Act.NOTE, now=NOON, by="mira", text="called back")
    one = put_on_hold(one, until=date(2027, 1, 1), reason="court", now=NOON, by="mira")

    assert loads(dumps(one)) == one
    for text in (b"{}", b"[]", b"3", b"{", b'{"events":[3]}'):
        with pytest.raises(ValueError, match=r"."):
            loads(text)


def test_words_lose_what_turns_the_order_of_others_words() -> None:
    assert clean("a\u202eb\x1b[31m\r\nc\x00") == "a b [31m\nc"
    assert len(clean("x" * 9999)) == 2_000


def test_request_that_nobody_can_be_answered_is_refused() -> None:
    with pytest.raises(RequestRefused, match="no customer number and no address"):
        Request(id="r", kind=RequestKind.ERASE, law=Law.GDPR, received=NOON, via=Via.STAFF)


def test_every_right_has_a_rule_of_every_law_steps_and_words() -> None:
    words = texts_of("en")["rights"]

    assert set(RULES) == {(law, kind) for law in Law for kind in RequestKind}
    assert set(WORK) == set(RequestKind)
    assert {kind.replace("-", "_") for kind in RequestKind} <= words.keys()
    assert {f"done_{kind.replace('-', '_')}" for kind in RequestKind if kind not in BY_WORDS} <= words.keys()
