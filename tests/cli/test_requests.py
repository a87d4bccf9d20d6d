"""The commands of the request queue, from the letter's day of receipt to the answer, and the record of processing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.commands import Shop

from cookieguard.cli.app import run
from cookieguard.features.people.journal import read_journal
from cookieguard.features.records.values.records import new_id

CONFIG = """
[controller]
name = "Kiln & Co"
address = ["Ovenstraat 1", "1011 AA Amsterdam"]
[rights]
by_hand = ["deleted at the parcel service"]
[[data]]
id = "invoices"
title = "Invoices <b>"
purpose = "Tax"
basis = "law"
reason = "tax law"
retention = "10 years"
"""


class Shell(Shop):
    """Run the commands of a shop as its staff, each with their token."""

    def __init__(self, directory: Path, config: str) -> None:
        super().__init__(directory, config)
        self.run("keys", "add")
        self.tokens = {
            name: self.ask("staff", "add", name, "--role", name.split()[0].lower())["token"]
            for name in ("Analyst Ann", "Support Sam", "Officer Olga")
        }

    def act(self, *arguments: str, who: str = "Officer Olga") -> tuple[int, str]:
        done = self.run(*arguments, stdin=self.tokens.get(who, who))
        return done.returncode, done.stdout + done.stderr

    def read(self, *arguments: str, who: str = "Officer Olga") -> Any:
        code, text = self.act(*arguments, "--json", who=who)
        assert code in (0, 1), text
        return json.loads(text)


pytestmark = pytest.mark.shop(kind=Shell, config=CONFIG)


def test_letter_is_entered_worked_at_and_answered(shop: Shell) -> None:
    day = datetime.now(UTC).date() - timedelta(days=10)
    letter = ("requests", "add", "erase", "--who", "known", "--customer", "10001", "--received", str(day))
    added = shop.read(*letter, who="Support Sam")
    id_ = added["request"]
    assert added["days_left"] < 22
    assert shop.act("work")[1].startswith("1 request ")
    assert "sessions" in shop.read("requests", "show", id_)["left"]
    (waiting,) = shop.read("requests", "list")["requests"]
    assert waiting["left"].startswith("approval by a second person, ")
    assert waiting["stands"] == "waiting for approval by a second person"
    code, text = shop.act("requests", "approve", id_, who="Support Sam")
    assert (code, "the role officer" in text) != (0, True)
    shop.read("requests", "approve", id_)
    assert shop.act("work")[1].startswith("1 request ")
    assert shop.read("requests", "show", id_)["left"] == ["shop", "deleted at the parcel service"]

    code, text = shop.act("requests", "finish", id_, "--text", "Gone.")
    assert (code, "open steps: shop" in text) == (4, True)
    for step in ("shop", "deleted at the parcel service"):
        shop.read("requests", "step", id_, step, who="Support Sam")
    shop.read("work")
    (decided,) = shop.read("requests", "list")["requests"]
    assert decided["left"] == "answer"
    assert decided["stands"] == "decided, but the person does not have the answer yet"
    code, text = shop.act("requests", "told", id_, "--text", " ")
    assert (code, "told without words" in text) == (4, True)
    shop.read("requests", "told", id_, "--text", "by letter")
    assert shop.read("requests", "list")["requests"] == []
    shown = shop.read("requests", "show", id_)
    assert [(one["act"], one["by"]) for one in shown["events"]] == [
        ("approved", "Officer Olga"),
        *[("step", "cookieguard")] * 3,
        *[("step", "Support Sam")] * 2,
        ("done", "cookieguard"),
        ("told", "Officer Olga"),
    ]
    assert shown["events"][-1]["text"] == "by letter"


REGISTER = """
[[forms]]
page = "/join"
asks = ["email"]
leads_to = "news.example"

[[vendors]]
name = "Tally <i>"
purpose = "statistics"
hosts = ["metrics.example"]
role = "processor"
data = ["pages seen"]
country = "US"
transfer = "clauses"

[[vendors]]
name = "Pay"
purpose = "necessary"
hosts = ["pay.example"]
basis = "contract"
reason = "visitors pay with it"
contract_end = 2020-01-31
"""
SUPPORT_ACTS = (
    ("show", "{id}"),
    ("add", "export", "--who", "known", "--customer", "10001"),
    ("note", "{id}", "--text", "called"),
    ("ask-identity", "{id}"),
    ("identity-shown", "{id}"),
    ("step", "{id}", "shop"),
)
OFFICER_ACTS = (
    ("extend", "{id}", "--text", "many"),
    ("hold", "{id}", "--until", "2999-01-01", "--reason", "court"),
    ("refuse", "{id}", "--text", "no"),
    ("finish", "{id}", "--text", "gone"),
    ("told", "{id}", "--text", "by letter"),
)


@pytest.mark.parametrize("act", [*SUPPORT_ACTS, *OFFICER_ACTS], ids=lambda one: one[0])
def test_commands_of_requests_need_the_role_that_their_page_needs(shop: Shell, act: tuple[str, ...]) -> None:
    id_ = shop.read("requests", "add", "erase", "--who", "known", "--customer", "10001")["request"]
    before = shop.read("requests", "show", id_)
    arguments = ("requests", *(one.replace("{id}", id_) for one in act))
    wrong = ["", "Analyst Ann", *(["Support Sam"] if act in OFFICER_ACTS else [])]

    refused = [shop.act(*arguments, who=who) for who in wrong]
    refused.append(shop.act(*arguments, who="2.forged.token"))

    assert {code for code, _ in refused} == {4}
    assert all("the token of a member with the role" in text and "10001" not in text for _, text in refused)
    assert shop.read("requests", "show", id_)["events"] == before["events"]
    assert [one["request"] for one in shop.read("requests", "list")["requests"]] == [id_]


def test_step_of_the_worker_cannot_be_done_by_command(shop: Shell) -> None:
    id_ = shop.read("requests", "add", "erase", "--who", "known", "--customer", "10001", who="Support Sam")[
        "request"
    ]
    shop.read("requests", "approve", id_)

    code, text = shop.act("requests", "step", id_, "sessions")

    assert (code, "allowed: shop, deleted at the parcel service" in text) == (4, True)


def test_look_by_command_is_in_the_access_journal(shop: Shell) -> None:
    added = shop.read("requests", "add", "erase", "--who", "known", "--customer", "10001")
    shop.read("requests", "list")
    shop.read("requests", "show", added["request"])

    looks = list(read_journal(shop.state))

    assert [one["what"] for one in looks] == [f"request {added['request']} by command"] * 2
    assert {(one["who"], one["role"]) for one in looks} == {("Officer Olga", "officer")}
    assert all(one["customer"] and "10001" not in str(one) for one in looks)


def test_commands_count_toward_the_daily_limits_and_doctor_reports_them(shop: Shell) -> None:
    limits = "[staff]\ndaily_views = 3\ndaily_erasures = 2\n"
    (shop.directory / "cookieguard.toml").write_text(limits + CONFIG)

    add = ("requests", "add", "erase", "--who", "known", "--customer")
    added = [shop.act(*add, f"1000{number}", who="Support Sam") for number in range(3)]
    ids = [one["request"] for one in shop.read("requests", "list")["requests"]]
    copy = ("requests", "add", "export", "--who", "known", "--customer")
    added += [shop.act(*copy, f"1000{number}") for number in range(2, 5)]
    shown = [shop.act("requests", "show", one, who="Support Sam")[0] for one in ids]
    approved = [shop.act("requests", "approve", one) for one in ids]

    assert [code for code, _ in added] == [0, 0, 4, 0, 0, 0]
    assert added[2][1].startswith("cookieguard: Support Sam reached staff.daily_erasures (2); it is free")
    assert len(ids) == 2
    assert shown == [0, 0]  # customers whose requests this member entered today
    assert [code for code, _ in approved] == [4, 4]  # the officer has viewed three other customers
    assert "Officer Olga reached staff.daily_views (3)" in approved[0][1]
    doctor = shop.act("doctor", who="")[1]
    for line in (
        "warn  staff: Support Sam reached staff.daily_erasures on",
        "warn  staff: Officer Olga reached staff.daily_views on",
    ):
        assert line in doctor


def test_list_names_nobody_and_ends_with_1_where_a_request_is_late(shop: Shell) -> None:
    day = datetime.now(UTC).date() - timedelta(days=40)
    shop.act(
        "requests",
        "add",
        "object",
        "--who",
        "known",
        "--customer",
        "K-4711",
        "--text",
        "stop \x1b[2J",
        "--received",
        str(day),
    )

    code, text = shop.act("requests", "list", who="")

    assert code == 1
    assert "K-4711" not in text
    assert "\x1b" not in text


def test_request_entered_twice_is_one(shop: Shell) -> None:
    first = shop.read("requests", "add", "export", "--who", "known", "--customer", "10001")
    assert (
        shop.read("requests", "add", "export", "--who", "known", "--customer", "10001")["request"]
        == first["request"]
    )
    letter = ("requests", "add", "export", "--who", "known", "--customer", "10001", "--law")
    _, said = shop.act(*letter, "ccpa")
    assert f"{first['request']} is already open under gdpr; --law ccpa was not applied" in said
    assert "not applied" not in shop.act(*letter, "gdpr")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "erase", "--who", "known"), "allowed: one of them"),
        (("add", "correct", "--who", "known", "--customer", "1"), "needs words"),
        (("show", "nothing"), "requests list --all"),
        (("note", "nothing", "--text", "x"), "requests list --all"),
        (
            ("add", "erase", "--who", "known", "--customer", "1", "--received", "2999-01-01"),
            "today or an earlier day",
        ),
    ],
)
def test_errors_say_what_is_allowed(shop: Shell, arguments: tuple[str, ...], said: str) -> None:
    code, text = shop.act("requests", *arguments)

    assert code != 0
    assert said in text


def test_record_of_processing_is_printed_with_all_text_escaped(shop: Shell) -> None:
    code, page = shop.act("processing", "--html", who="")

    assert code == 0
    assert "Invoices &lt;b&gt;" in page
    assert "art. 6(1)(c): tax law" in page
    assert "Ovenstraat 1" in shop.act("processing", who="")[1]
    assert shop.read("processing")["processing"][0]["retention"] == "10 years"


def test_record_of_processing_holds_the_register_of_vendors_and_forms(shop: Shell) -> None:
    with (shop.directory / "cookieguard.toml").open("a") as file:
        file.write(REGISTER)
    facts = shop.read("processing")

    assert facts["forms"] == [{"page": "/join", "asks": ["email"], "leads_to": "news.example"}]
    running, lapsed = facts["vendors"]
    assert (running["vendor"], running["data"], running["state"]) == ("Tally <i>", ["pages seen"], "")
    assert running["basis"] == "consent"
    assert (lapsed["contract_end"], lapsed["state"]) == ("2020-01-31", "blocked: its contract has ended")
    assert lapsed["basis"] == "contract: visitors pay with it"
    assert "transfer: clauses" in shop.act("processing", who="")[1]
    page = shop.act("processing", "--html", who="")[1]
    assert all(
        one in page
        for one in ("Tally &lt;i&gt;", "news.example", "2020-01-31 (blocked: its contract has ended)")
    )


def test_no_id_is_taken_for_an_option_where_a_command_names_it() -> None:
    assert not [one for one in (new_id() for _ in range(5_000)) if one.startswith("-")]  # 78 of them did


def test_record_of_processing_of_a_shop_that_declares_nothing_says_what_to_declare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(("processing",)) == 0
    said = capsys.readouterr().out
    assert said.startswith("nothing is declared: there is no [controller], [[data]], [[forms]] or vendor\n")
    assert "store: Access log\n" in said  # what we keep for the shop in any case
    assert "of: the controller\nsetting: controller.name\n" in said
