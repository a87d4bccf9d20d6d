"""Versions of the policy are read from dated texts; folder, announcements and day decide which is in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from harness.policies import HEAD, NEW, OLD

from cookieguard.errors import ConfigError
from cookieguard.features.policy.values.ledger import (
    Announcement,
    files_of,
    read_announcement,
    write_announcement,
)
from cookieguard.features.policy.values.versions import (
    Version,
    all_upcoming,
    altered,
    in_force,
    public,
    texts_to_compare,
    upcoming,
    versions_of,
)
from cookieguard.mail.runs import Run

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def text(announced: str, effective: str, body: str = OLD, **more: str) -> bytes:
    values = {"material": "true", "summary": "Short."} | more
    return (HEAD.format(announced=announced, effective=effective, **values) + body).encode()


def folders(**more: Mapping[str, bytes]) -> dict[str, Mapping[str, bytes]]:
    return {
        "2026-01-01": {"en.md": text("2026-01-01", "2026-01-01")},
        "2026-12-15": {"en.md": text("2026-12-01", "2026-12-15", NEW)},
        **more,
    }


def read(found: Mapping[str, Mapping[str, bytes]], *, days: int = 14) -> tuple[Version, ...]:
    return versions_of(found, language="en", notice_days=days)


def ledger_of(version: Version, *, is_complete: bool = True) -> dict[str, Announcement]:
    return {version.name: Announcement(files=version.files, at=AT, completed=AT if is_complete else None)}


@pytest.mark.parametrize(("day", "name"), [(13, "2026-01-01"), (14, "2026-12-15"), (15, "2026-12-15")])
def test_version_takes_effect_on_its_day(day: int, name: str) -> None:
    versions = read(folders())

    found = in_force(versions, ledger_of(versions[1]), AT.date() + day * DAY)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("days", [14, 15, 400])
def test_version_whose_run_is_not_complete_does_not_take_effect(days: int) -> None:
    versions = read(folders())
    today = AT.date() + days * DAY

    assert in_force(versions, ledger_of(versions[1], is_complete=False), today) is versions[0]
    assert in_force(versions, {}, today) is versions[0]
    assert upcoming(versions, ledger_of(versions[1], is_complete=False), today) is versions[1]


def test_version_that_somebody_released_takes_effect_without_its_run() -> None:
    versions = read(folders())
    entry = Announcement(files=versions[1].files, at=AT, reason="told by letter", released=AT)

    assert in_force(versions, {versions[1].name: entry}, date(2026, 12, 15)) is versions[1]
    assert in_force(versions, {versions[1].name: entry}, date(2026, 12, 14)) is versions[0]


def test_draft_is_neither_public_nor_upcoming() -> None:
    versions = read(folders())

    assert public(versions, {}, date(2026, 12, 5)) == [versions[0]]
    assert upcoming(versions, {}, date(2026, 12, 5)) is None
    assert public(versions, ledger_of(versions[1]), date(2026, 12, 5)) == [versions[1], versions[0]]


def test_days_alone_decide_where_nobody_knows_what_was_announced() -> None:
    versions = read(folders())

    assert in_force(versions, None, date(2026, 12, 15)) is versions[1]
    assert upcoming(versions, None, date(2026, 12, 1)) is versions[1]
    assert upcoming(versions, None, date(2026, 11, 30)) is None


@pytest.mark.parametrize("effective", ["2026-12-14", "2026-12-01", "2026-11-30"])
def test_notice_that_is_too_short_is_refused_by_name(effective: str) -> None:
    found = folders() | {"2026-12-15": {"en.md": text("2026-12-01", effective)}}

    with pytest.raises(
        ConfigError, match=r"policy.folder: 2026-12-15: effective is .* at least 14 days"
    ) as told:
        read(found)

    assert "policy.notice_days" in str(told.value)


def test_first_version_alone_may_take_effect_at_once() -> None:
    only = {"2026-01-01": {"en.md": text("2026-01-01", "2026-01-01")}}

    assert in_force(read(only), {}, date(2026, 1, 1)) is not None
    with pytest.raises(ConfigError, match="effective"):
        read({"2026-01-01": {"en.md": text("2026-01-01", "2026-01-02")}})


def test_file_that_changed_or_went_after_its_announcement_is_told_by_name() -> None:
    before = read(folders())
    ledger = files_of(ledger_of(before[1]))
    changed = read(folders() | {"2026-12-15": {"en.md": text("2026-12-01", "2026-12-15", NEW + "\nMore.\n")}})
    translated = read(
        folders()
        | {"2026-12-15": {**folders()["2026-12-15"], "de.md": text("2026-12-01", "2026-12-15", "Neu.\n")}}
    )

    assert altered(before, ledger) == []
    assert altered(changed, ledger) == ["2026-12-15/en.md"]
    assert altered(before[:1], ledger) == ["2026-12-15/en.md"]
    assert altered(translated, ledger) == []  # nothing that was announced is another text now


@pytest.mark.parametrize(
    ("name", "files", "told"),
    [
        ("draft", {"en.md": b"x"}, "draft"),
        ("2026-13-40", {"en.md": text("2026-12-01", "2026-12-15")}, "2026-13-40"),
        ("2026-12-15", {}, "without en.md"),
        ("2026-12-15", {"de.md": text("2026-12-01", "2026-12-15")}, "without en.md"),
        ("2026-12-15", {"en.txt": b"x"}, "en.txt"),
        ("2026-12-15", {"../en.md": b"x"}, "en.md"),
        ("2026-12-15", {"en.md": b"# Privacy\n"}, "front matter"),
        ("2026-12-15", {"en.md": b"---\nannounced: 2026-12-01\n"}, "without the front matter's end"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", "\n")}, "without a text"),
        ("2026-12-15", {"en.md": text("soon", "2026-12-15")}, "announced"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-02-30")}, "effective"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", material="maybe")}, "material"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", summary="")}, "summary"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", summary="> folded")}, "summary"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", summary="x\x00y")}, "summary"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", summary="x\u202ey")}, "summary"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15", summary="x\nauthor: me")}, "author"),
        ("2026-12-15", {"en.md": text("2026-12-01", "2026-12-15") + b"\xff"}, "UTF-8"),
        ("2026-12-15", {"en.md": b"x" * 300_000}, "bytes"),
        (
            "2026-12-15",
            {
                "en.md": text("2026-12-01", "2026-12-15"),
                "de.md": text("2026-11-30", "2026-12-15"),
            },
            "announced",
        ),
    ],
)
def test_folder_that_cannot_be_used_is_refused_by_name(
    name: str, files: Mapping[str, bytes], told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read({name: files})

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("policy.folder")


def test_summary_may_be_a_list() -> None:
    listed = text("2026-01-01", "2026-01-01", summary='\n  - "One: first."\n  - Two.')

    (version,) = read({"2026-01-01": {"en.md": listed}})

    assert version.texts["en"].summary == ("One: first.", "Two.")


def test_reader_gets_their_language_or_the_shop_s() -> None:
    (version,) = read(
        {
            "2026-01-01": {
                "en.md": text("2026-01-01", "2026-01-01"),
                "de.md": text("2026-01-01", "2026-01-01", "Wir.\n"),
            }
        }
    )

    assert version.text("de-AT", "en")[0] == "de"
    assert version.text("fr", "en")[0] == "en"


def test_announcement_is_read_as_it_was_written() -> None:
    entry = Announcement(
        files={"en": "0" * 64},
        at=AT,
        run=Run(total=10, sent=9, refused=1, uncertain=1, is_filled=True),
        completed=AT + DAY,
        reason="\u2028 <b>",
        released=AT,
    )

    assert read_announcement(write_announcement(entry)) == entry


@pytest.mark.parametrize(
    ("run", "is_complete"),
    [
        (Run(total=10, sent=10, is_filled=True), True),
        (Run(total=10, sent=10, is_filled=False), False),
        (Run(total=10, sent=9, is_filled=True), False),
        (Run(total=10, sent=9, refused=1, is_filled=True), True),
        (Run(total=10, sent=8, refused=2, is_filled=True), False),
        (Run(total=3, refused=3, is_filled=True), False),
        (Run(total=0, is_filled=True), True),
    ],
)
def test_run_is_complete_once_everybody_was_told_who_can_be(run: Run, *, is_complete: bool) -> None:
    assert run.is_complete is is_complete


def test_versions_are_compared_in_a_language_that_both_have() -> None:
    old, new = read(
        folders(
            **{"2026-12-15": {"en.md": text("2026-12-01", "2026-12-15", NEW),
                              "de.md": text("2026-12-01", "2026-12-15", "Wir behalten weniger.")}}
        )
    )  # fmt: skip

    assert texts_to_compare(old, new, "de", "en") == ("en", old.texts["en"], new.texts["en"])
    assert texts_to_compare(new, new, "de-AT", "en")[0] == "de"


def test_each_announced_version_may_be_read_and_no_draft_between_them() -> None:
    third = {"en.md": text("2026-12-10", "2026-12-24", "We keep nothing.")}
    first, second, last = versions = read(folders(**{"2026-12-24": third}))
    both = {**ledger_of(second, is_complete=False), **ledger_of(last, is_complete=False)}
    day = date(2026, 12, 11)

    assert public(versions, both, day) == [last, second, first]
    assert public(versions, ledger_of(last), day) == [last, first]
    assert public(versions, None, day) == [last, second, first]
    assert upcoming(versions, both, day) is second
    assert all_upcoming(versions, both, day) == [second, last]


def test_reader_whose_language_has_no_file_gets_the_one_of_the_shop_s_region() -> None:
    files = {f"{one}.md": text("2026-01-01", "2026-01-01", f"In {one}.") for one in ("cs", "de")}
    (version,) = versions_of({"2026-01-01": files}, language="de", notice_days=14)

    assert version.text("fi", "de-AT")[0] == "de"
