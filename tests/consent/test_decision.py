"""The decision in force for a visitor, from cookie, browser signal and policy version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.config import PolicyVersion
from cookieguard.consent import (
    ChoiceError,
    Consent,
    Receipt,
    State,
    choose,
    decide,
    from_payload,
    local_path,
    new_receipt_id,
    to_payload,
    write_receipt,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, 123, tzinfo=UTC)
IDS = frozenset({"necessary", "preferences", "statistics", "marketing"})
POLICY = PolicyVersion(version="2")


def receipt(*granted: str, gpc: bool = False) -> Receipt:
    return write_receipt(frozenset(granted), purposes=IDS, policy=POLICY, banner="b1", gpc=gpc, now=NOW)


def decided(payload: dict[str, Any] | None, *, gpc: bool = False, policy: PolicyVersion = POLICY) -> Consent:
    return decide(payload, gpc=gpc, policy=policy, purposes=IDS, now=NOW)


@pytest.mark.parametrize(
    ("granted", "state"),
    [
        ((), State.REFUSED),
        (("necessary",), State.REFUSED),
        (("statistics",), State.PARTLY),
        (tuple(IDS), State.ALL),
        (("preferences", "statistics", "marketing"), State.ALL),
    ],
)
def test_choice_is_in_force_and_names_its_state(granted: tuple[str, ...], state: State) -> None:
    made = receipt(*granted)

    consent = decided(to_payload(made))

    assert consent.granted == {"necessary", *granted}
    assert consent.state is state
    assert not consent.asks
    assert (consent.receipt_id, consent.policy_version) == (made.id, "2")
    assert consent.decided == NOW.replace(microsecond=0)


def test_visitor_without_a_choice_has_necessary_purposes_only() -> None:
    consent = decided(None)

    assert (consent.state, consent.granted, consent.asks) == (State.UNDECIDED, {"necessary"}, True)
    assert not consent.has("marketing")


def test_new_policy_version_asks_again_from_its_day_on() -> None:
    payload = to_payload(receipt("marketing"))
    now_due = PolicyVersion(version="3", effective=date(2026, 11, 24))
    announced = PolicyVersion(version="3", effective=date(2026, 11, 25))

    assert decided(payload, policy=now_due).asks
    assert decided(payload, policy=PolicyVersion(version="3")).asks
    assert decided(payload, policy=announced).has("marketing")


def test_purpose_that_is_no_more_asks_again() -> None:
    payload = to_payload(receipt("marketing"))

    consent = decide(payload, gpc=False, policy=POLICY, purposes=IDS - {"marketing"}, now=NOW)

    assert (consent.state, consent.granted) == (State.UNDECIDED, {"necessary"})


def test_signal_suppresses_the_banner_without_a_refusal() -> None:
    consent = decided(None, gpc=True)

    assert (consent.state, consent.asks, consent.gpc) == (State.UNDECIDED, False, True)
    assert consent.receipt is None


def test_signal_overrules_a_grant_made_without_it() -> None:
    payload = to_payload(receipt("marketing"))

    consent = decided(payload, gpc=True)

    assert (consent.granted, consent.is_overruled, consent.asks) == ({"necessary"}, True, False)
    assert decided(payload).has("marketing")


def test_grant_made_under_the_signal_stands_with_and_without_it() -> None:
    payload = to_payload(receipt("marketing", gpc=True))

    assert decided(payload, gpc=True).has("marketing")
    assert decided(payload).has("marketing")


def test_refusal_stays_a_refusal_under_the_signal() -> None:
    consent = decided(to_payload(receipt()), gpc=True)

    assert (consent.state, consent.is_overruled) == (State.REFUSED, False)


@pytest.mark.parametrize(
    ("choice", "ticked", "granted"),
    [
        ("accept", [], IDS),
        ("reject", ["marketing"], {"necessary"}),
        ("save", [], {"necessary"}),
        ("save", ["statistics", "statistics", "gone"], {"necessary", "statistics"}),
    ],
)
def test_posted_choice_becomes_purposes(choice: str, ticked: list[str], granted: set[str]) -> None:
    assert choose(choice, ticked, IDS) == granted


@pytest.mark.parametrize("choice", ["", "Accept", "accept ", "all", "x" * 5000])
def test_invalid_choice_is_refused_in_one_short_line(choice: str) -> None:
    with pytest.raises(ChoiceError) as caught:
        choose(choice, ["marketing"], IDS)

    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("posted", "path"),
    [
        ("/", "/"),
        ("/a/b?c=d&e=%20f#g", "/a/b?c=d&e=%20f#g"),
        ("/größe?q=a b", "/gr%C3%B6%C3%9Fe?q=a%20b"),
        ("/<script>", "/%3Cscript%3E"),
        ("", "/"),
        ("a", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\/evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        (" /a", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/" + "a" * 2047, "/" + "a" * 2047),
        ("/" + "a" * 2048, "/"),
        ("/" + "ö" * 1000, "/"),
        ("/\ud800", "/?"),
    ],
)
def test_next_is_a_local_path_or_the_front_page(posted: str, path: str) -> None:
    assert local_path(posted) == path


@given(st.text(max_size=300))
def test_no_text_leads_to_another_host_or_a_second_header(posted: str) -> None:
    path = local_path(posted)

    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isascii()
    assert path.isprintable()
    assert local_path(path) == path


@given(st.frozensets(st.sampled_from(sorted(IDS))), st.booleans(), st.booleans())
def test_receipt_survives_the_cookie(granted: frozenset[str], gpc: bool, pending: bool) -> None:
    made = replace(receipt(*granted, gpc=gpc), pending=pending)

    assert from_payload(to_payload(made)) == made
    assert made.refused == IDS - granted - {"necessary"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(to_payload(receipt()))), JSON)
def test_payload_this_version_did_not_write_is_no_consent(name: str, value: Any) -> None:
    payload = {**to_payload(receipt("marketing")), name: value}

    consent = decided(payload)

    assert consent.granted <= IDS
    assert consent.state is State.UNDECIDED or type(value) in (int, str, list)


@pytest.mark.parametrize("drop", sorted(to_payload(receipt())))
def test_payload_with_a_missing_member_is_no_consent(drop: str) -> None:
    payload = to_payload(receipt("marketing"))
    del payload[drop]

    assert decided(payload).state is State.UNDECIDED


def test_receipt_ids_do_not_repeat_and_fit_a_url() -> None:
    ids = {new_receipt_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(len(one) == 22 and one.replace("-", "a").replace("_", "a").isalnum() for one in ids)


def test_time_of_a_choice_is_kept_to_the_second() -> None:
    made = receipt("marketing")
    later = decide(to_payload(made), gpc=False, policy=POLICY, purposes=IDS, now=NOW + timedelta(days=90))

    assert later.decided == datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_a_choice_before_a_version_takes_effect_is_asked_again_from_its_day_on() -> None:
    announced = PolicyVersion(version="2", effective=date(2026, 12, 8))
    purposes = frozenset({"necessary", "marketing"})
    before, after = datetime(2026, 12, 7, 23, tzinfo=UTC), datetime(2026, 12, 8, 1, tzinfo=UTC)

    made = write_receipt(purposes, purposes=purposes, policy=announced, banner="", gpc=False, now=before)
    payload = to_payload(made)

    assert decide(payload, gpc=False, policy=announced, purposes=purposes, now=before).state == "all"
    assert decide(payload, gpc=False, policy=announced, purposes=purposes, now=after).state == "undecided"
