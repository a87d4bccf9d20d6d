"""The officer's page and the weekly letter: one page that says what is due, to nobody but officer and owner."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from harness.asgi import Answer, ask
from harness.policies import two_versions
from stats.traffic import PLAIN
from web.test_staff_guard import Desk, no_app

from cookieguard import Config, CookieGuard, PolicyVersion, Vendor
from cookieguard.features.letter import write_letter
from cookieguard.features.people.journal import read_journal
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.requests import Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.keyring import Keyring
from cookieguard.stats.hits import Batch
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENDS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), contract_end=date(2026, 12, 1))
BROWSER = ("accept", "text/html")
HELD = "Undeclared hosts that were held"


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    return Desk(guard(no_app, vendors=(ENDS,)), tmp_path / "state")


def page(desk: Desk, token: str = "", *, is_browser: bool = False) -> Answer:
    headers = [("authorization", f"Bearer {token}")] if token else []
    return ask(desk.app, path="/_cg/officer", headers=[*headers, *([BROWSER] if is_browser else [])])


def keyring(desk: Desk) -> Keyring:
    return Keyring.loads(beside(desk.state).read_text(), setting="test")


def ask_to_erase(desk: Desk, days: dict[str, int], steps: tuple[str, ...] = ()) -> None:
    """Put requests into the queue, by their ids, so many days old, of somebody whom no page may name."""
    with closing(
        requests_opener(desk.app.config, keyring(desk), StateDirectory(desk.state), environ={})()
    ) as requests:
        for id_, age in days.items():
            made = Request(
                id=id_,
                kind=RequestKind.ERASE,
                law=Law.GDPR,
                customer="number-4711",
                contact="anna@mail.example",
                text="<script>alert(1)</script>",
                received=NOW - timedelta(days=age),
                via=Via.LOGIN,
                steps=steps,
            )
            requests.add(made, has_work=True)


def test_officer_and_owner_see_it_and_the_look_is_in_the_journal(desk: Desk) -> None:
    answers = [page(desk, desk.add(role)) for role in ("officer", "owner")]

    assert [one.status for one in answers] == [200, 200]
    assert answers[0].get("cache-control") == "private, no-store"
    assert "Ads: its contract ends on 2026-12-01" in answers[0].text
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert [(one["who"], one["what"]) for one in looks] == [
        ("officer", "officer's page"),
        ("owner", "officer's page"),
    ]


def test_support_and_strangers_get_the_same_403_without_a_hint(desk: Desk) -> None:
    tokens = ["", desk.add("support"), desk.add("analyst"), "2.a.b.c"]

    answers = [page(desk, one) for one in tokens]

    assert {(one.status, one.text) for one in answers} == {(403, "not allowed\n")}
    session = desk.sign_in(tokens[1])
    cookie = ("cookie", f"__Host-cg_staff={session}")
    signed_in, stranger = (
        ask(desk.app, path="/_cg/officer", headers=[BROWSER, *more]) for more in ([cookie], [])
    )
    assert (signed_in.status, stranger.status) == (403, 403)
    assert "This page needs the role officer." in signed_in.text
    assert "needs the role" not in stranger.text


def test_page_is_not_shown_where_the_journal_takes_nothing(desk: Desk) -> None:
    token = desk.add("officer")
    (desk.state / "staff-journal").write_text("in the way")

    answer = page(desk, token)

    assert answer.status == 503
    assert "Ads" not in answer.text


def test_each_request_stands_once_by_its_days_left_with_what_is_not_done_and_names_nobody(desk: Desk) -> None:
    ask_to_erase(desk, {"a" * 16: 25, "b" * 16: 2, "c" * 16: 40}, steps=("cart",))

    text = page(desk, desk.add("officer")).text
    letter = write_letter(desk.app.config, keyring(desk), NOW)

    parts = {one.title: [line for line in one.lines if line.startswith("requests: ")] for one in letter.parts}
    late, soon = parts["What needs you"]
    (in_time,) = parts["In time and in order"]
    assert late.startswith(f"requests: {'c' * 16}: erase, open, ")
    assert " days late, due on 2026-11-" in late
    assert "not done: cart; answer it at /_cg/requests?id=" in late
    assert late.endswith("cookieguard requests list (support)")
    assert "6 days left, due on 2026-11-30 (gdpr)" in soon
    assert in_time.startswith(f"requests: {'b' * 16}: erase, open, ")
    assert text.index("c" * 16) < text.index("a" * 16) < text.index("b" * 16)
    for hidden in ("number-4711", "anna@", "alert(1)"):
        assert hidden not in text


def test_of_many_late_requests_ten_are_named_and_the_others_counted_as_late_too(desk: Desk) -> None:
    ask_to_erase(desk, {f"{at:016}": 60 - at for at in range(12)})

    part = write_letter(desk.app.config, keyring(desk), NOW).parts[0]

    lines = [line for line in part.lines if line.startswith("requests: ")]
    assert [line[10:26] for line in lines[:10]] == [f"{at:016}" for at in range(10)]
    assert lines[10:] == [
        "requests: 2 more are open; see: cookieguard requests list; answer these as well (support)"
    ]


def test_hosts_and_errors_of_others_are_shown_as_text(desk: Desk) -> None:
    host = "x.example\u202e<img src=x>"
    line = {"day": "2026-11-23", "host": host, "by": "<b>Ads</b>\r\nBcc: all@x.example", "page": "/"}
    (desk.state / "beyond").write_text(json.dumps(line) + "\n")

    text = page(desk, desk.add("officer")).text
    letter = write_letter(desk.app.config, keyring(desk), NOW)

    assert "&lt;img src=x&gt;" in text
    assert "<img" not in text
    assert all(one.isprintable() for one in letter.text)
    assert any("[[vendors]]" in one or "vendors" in one for one in letter.text)


def test_hosts_that_were_held_and_nobody_declared_are_told_with_the_lines_that_declare_them(
    tmp_path: Path,
) -> None:
    state = StateDirectory(tmp_path / "state")
    held = (
        '[["chat.example",1,"","marketing"],["ads.example",1,"","marketing"],["port.example",1,"","marketing"],'
        '["film.example",1,"Film","marketing"]]'
    )
    views = [PLAIN._replace(time=int(NOW.timestamp()) - 86_400 - at, held=held) for at in range(20)]
    with closing(SqliteHits(state.path / STATS_FILE)) as engine:
        engine.write(Batch("one", views, {}, {}))
    port = Vendor(name="Port", purpose="marketing", hosts=("port.example:8443",))
    config = Config(state_dir=str(state.path), vendors=(ENDS, port))  # both were declared since

    letter = write_letter(config, Keyring.generate(NOW), NOW)

    (part,) = [one for one in letter.parts if one.title == HELD]
    assert part.lines[0] == (
        "chat.example: held on 20 views in 7 days; "
        'if it is the shop\'s own host: first_party_hosts = ["chat.example"]; if it is a vendor:'
    )
    assert 'hosts = ["chat.example"]' in part.lines
    assert "example" not in " ".join(part.lines).replace("chat.example", "")
    assert not part.is_due  # what is held is kept from visitors: a promise kept


def test_loads_are_told_where_the_statistics_cannot_be_read(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    (state.path / STATS_FILE).write_text("no database")
    line = {"day": "2026-11-23", "host": "x.example", "by": "Ads", "page": "/"}
    (state.path / "beyond").write_text(json.dumps(line) + "\n")

    letter = write_letter(Config(state_dir=str(state.path), vendors=(ENDS,)), Keyring.generate(NOW), NOW)

    parts = {one.title: one for one in letter.parts}
    assert parts[HELD].lines[0].startswith("cannot be read (")
    assert any("Ads has loaded x.example (/)" in line for line in parts["What needs you"].lines)
    assert any(line.startswith("statistics: ") for line in parts["What needs you"].lines)
    assert 'hosts = ["x.example"]' in parts["What needs you"].lines


def test_letter_of_a_shop_in_which_nothing_is_due_says_so(tmp_path: Path) -> None:
    StateDirectory(tmp_path / "state")
    letter = write_letter(Config(state_dir=str(tmp_path / "state")), Keyring.generate(NOW), NOW)

    parts = {one.title: one for one in letter.parts}
    assert parts["What needs you"].lines == ("nothing",)
    assert parts[HELD].lines == ("nothing",)
    assert letter.subject.endswith(": no things need you")
    assert len(letter.text) < 60  # one page


@pytest.mark.parametrize(
    ("announced", "is_due"), [("2026-11-20", True), ("2026-11-24", True), ("2026-12-01", False)]
)
def test_a_version_that_waits_for_its_announcement_is_named(
    tmp_path: Path, announced: str, is_due: bool
) -> None:
    folder = two_versions(tmp_path / "policy", announced=announced)
    config = Config(state_dir=str(tmp_path / "state"), policy=PolicyVersion(folder=str(folder)))
    CookieGuard(no_app, config).close()

    letter = write_letter(config, Keyring.generate(NOW), NOW)

    (part,) = [one for one in letter.parts if one.title == "What needs you"]
    assert part.is_due == is_due
    (line,) = part.lines
    assert line.startswith("unannounced policy: 2026-12-15 ") if is_due else line == "nothing"
    assert ("cookieguard policy announce 2026-12-15" in line) == is_due


def test_what_cannot_be_read_is_told_in_its_place(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    (state.path / "store.db").write_text("no database")
    (state.path / "store-requests.db").write_text("no database")
    config = Config(
        state_dir=str(state.path), policy=PolicyVersion(folder=str(two_versions(tmp_path / "policy")))
    )

    letter = write_letter(config, Keyring.generate(NOW), NOW)

    (part,) = [one for one in letter.parts if one.is_due]
    unread = [line.partition(":")[0] for line in part.lines if "SQLite" in line]
    assert unread == ["people", "policy", "rights"]
