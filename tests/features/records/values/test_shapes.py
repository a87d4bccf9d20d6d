"""A record that is filled in is, byte for byte, the one that is written out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.features.records.values.consents import (
    AGREEMENT,
    CONSENT,
    Asker,
    Event,
    Indication,
    Notice,
    agreement_facts,
    agreement_record,
    consent_facts,
    consent_record,
)
from cookieguard.features.records.values.records import Record, to_bytes
from cookieguard.features.records.values.shapes import MARK

texts = st.text(st.characters(exclude_characters=MARK, exclude_categories=["Cs"]), max_size=30)
purposes = st.frozensets(st.sampled_from(["necessary", "statistics", "marketing", "preferences"]))
times = st.integers(0, 4_000_000_000_000).map(lambda one: datetime.fromtimestamp(one / 1000, UTC))
notices = st.builds(Notice, digest=texts, language=texts, policy=texts)
indications = st.builds(
    Indication,
    event=st.sampled_from(Event),
    notice=notices,
    granted=purposes,
    refused=purposes,
    method=texts,
    gpc=st.booleans(),
    is_late=st.booleans(),
)
ids = st.text("abcXYZ019_-", min_size=16, max_size=64)
askers = st.builds(
    Asker,
    controller=texts,
    jurisdiction=texts,
    withdrawal=texts,
    recipients=st.dictionaries(st.sampled_from(["statistics", "marketing"]), st.tuples(texts, texts)),
    life=st.none() | st.just(timedelta(days=180)),
)


@given(askers, indications, times, texts, ids)
def test_a_choice_is_filled_in_as_it_is_written_out(
    asker: Asker, indication: Indication, time: datetime, subject: str, id_: str
) -> None:
    subject = f"browser:{subject}"
    facts = consent_facts(asker, indication, time=time)
    record = consent_record(asker, indication, time=time, subject=subject, id=id_)
    plain = Record(
        kind=CONSENT, topic=indication.event.value, subject=subject, time=time, facts=facts, id=id_
    )

    assert to_bytes(record) == to_bytes(plain)
    assert replace(record, facts=facts, written=b"") == plain


@given(
    askers,
    notices,
    st.booleans(),
    st.dictionaries(st.sampled_from(["a", "b"]), texts | st.integers(0, 9)),
    times,
    texts,
    ids,
)
def test_an_agreement_is_filled_in_as_it_is_written_out(
    asker: Asker,
    notice: Notice,
    given_: bool,
    details: dict[str, object],
    time: datetime,
    subject: str,
    id_: str,
) -> None:
    subject = f"named:{subject}"
    facts = agreement_facts(asker, notice, given=given_, details=details, method="form", time=time)
    plain = Record(kind=AGREEMENT, topic="terms", subject=subject, time=time, facts=facts, id=id_)
    record = agreement_record(
        asker,
        notice,
        topic="terms",
        given=given_,
        details=details,
        method="form",
        time=time,
        subject=subject,
        id=id_,
    )

    assert to_bytes(record) == to_bytes(plain)


def test_a_text_that_looks_like_a_hole_is_refused_and_half_a_surrogate_too() -> None:
    asker = Asker(controller="shop", jurisdiction="", withdrawal="/", recipients={})
    time = datetime(2026, 11, 28, tzinfo=UTC)

    def made(*, language: str = "en", subject: str = "browser:1") -> bytes:
        notice = Notice(digest="", language=language, policy="1")
        granted, refused = frozenset({"necessary"}), frozenset[str]()
        indication = Indication(
            event=Event.GRANT, notice=notice, granted=granted, refused=refused, method="banner"
        )
        return to_bytes(consent_record(asker, indication, time=time, subject=subject, id="a" * 22))

    assert made(subject=f"browser:{MARK}id")  # of a value that is filled in nothing is looked for
    for wrong in ({"language": f"{MARK}time"}, {"subject": "browser:\ud800"}):
        with pytest.raises(ValueError, match=r"private-use|surrogates"):
            made(**wrong)
