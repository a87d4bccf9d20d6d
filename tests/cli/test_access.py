"""`cookieguard access`: a look takes two members and a reason, and stays open until the customer has been notified."""

from __future__ import annotations

from contextlib import chdir, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import no_app
from harness.commands import Shop
from harness.parts import part_of
from harness.stores import SqliteStore

from cookieguard import CookieGuard
from cookieguard.access import AccessRefused
from cookieguard.config import load_config
from cookieguard.features.people.journal import marks_of, read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import customer, read_document
from cookieguard.keyring import Keyring, new_key
from cookieguard.storage.keyring_source import beside

CUSTOMER = "00003"
CASE = ("--customer", CUSTOMER, "--event", "ticket 7", "--reason", "<b>stolen</b> cards")
OPEN = ("access", "open", *CASE, "--scope", "orders", "--ground", "abuse")
NOTIFY, SAM = ("access", "notify"), ("Support Sam",)
CONFIG = """origins = ["https://shop.example"]
[staff]
scopes = ["account", "orders"]
[mail]
url = "{relay}"
sender = "Shop <privacy@shop.example>"
customers = "demo_site.shop.customers:active"
"""
DISCLOSE = (
    *("access", "disclose", "--customer", CUSTOMER, "--event", "12 Js 7/26"),
    *("--authority", "Court of Leipzig", "--basis", "StPO 98", "--given", "one order"),
)


class AccessShop(Shop):
    """Run the commands of a shop as its staff, each with their token."""

    def __init__(self, directory: Path, config: str) -> None:
        super().__init__(directory, config)
        self.tokens: dict[str, str] = {}

    def tokens_of(self, *names: str) -> str:
        for name in names:
            if name not in self.tokens:
                made = super().ask("staff", "add", name, "--role", name.split()[0].lower())
                self.tokens[name] = made["token"]
        return "\n".join(self.tokens[name] for name in names)

    def ask(self, *arguments: str, people: tuple[str, ...] = ("Support Sam", "Officer Olga")) -> Any:
        return super().ask(*arguments, stdin=self.tokens_of(*people))

    def records(self) -> list[dict[str, Any]]:
        with chdir(self.directory):
            place = place_of(load_config("cookieguard.toml"), self.state, environ={})
            with closing(open_stores(place, make=False)) as stores:
                return [read_document(one.record) for one in read_subject(stores, customer(CUSTOMER))]

    def use(self, code: str, *, by: str = "Support Sam", number: str = CUSTOMER) -> None:
        """Use a code in the shop's own application."""
        with chdir(self.directory):
            app = CookieGuard(no_app, "cookieguard.toml")
            try:
                part_of(app, PeoplePart).access.open(number, code=code, scope="orders", by=by)
            finally:
                app.close()

    def look(self, number: str = CUSTOMER) -> str:
        """Open a customer's data by a code of two members, and return the look's id."""
        code = self.ask(*[one if one != CUSTOMER else number for one in OPEN])["code"]
        self.use(code, number=number)
        id_: str = self.ask("access", "list")["looks"][-1]["id"]
        return id_

    def states(self) -> list[str]:
        return [one["state"] for one in self.ask("access", "list")["looks"]]


pytestmark = pytest.mark.shop(kind=AccessShop, config=CONFIG, customers=5, has_keys=True)


def test_look_without_a_code_takes_two_persons_and_opens_a_notice(shop: AccessShop) -> None:
    opened = shop.ask(*OPEN)
    shop.use(opened["code"])

    record, used = shop.records()
    assert used["cg:kind"] == "permission-used"
    assert record["cg:kind"] == "break-glass"
    assert (record["cg:by"], record["cg:approvedBy"]) == ("Support Sam", "Officer Olga")
    assert (record["cg:ground"], record["cg:event"], record["cg:reason"]) == (
        "abuse",
        "ticket 7",
        "<b>stolen</b> cards",
    )
    assert shop.states() == ["customer not told for 0 days"]
    assert len(opened["code"]) == 9
    (look,) = [one for one in read_journal(shop.state) if one["event"] == "looked without a code"]
    keyring = Keyring.loads(beside(shop.state).read_text(), setting="test")
    assert look["customer"] in marks_of(keyring, CUSTOMER)
    letter = shop.run("letter", "--preview").stdout
    today = f"{datetime.now(UTC):%-d %B}"
    assert "- Tell the customer about the look of " in letter
    assert f"(by {today}); with the token of a member of support, run: cookieguard access notify" in letter
    assert CUSTOMER not in letter


@pytest.mark.parametrize(
    "people",
    [
        ("Support Sam",),
        ("Officer Olga", "Officer Olga"),
        ("Support Sam", "Support Sid"),
        ("Analyst Ann", "Officer Olga"),
        ("Officer Olga", "Support Sam"),
    ],
)
def test_one_person_or_the_wrong_two_open_nothing(shop: AccessShop, people: tuple[str, ...]) -> None:
    refused = shop.run(*OPEN, stdin=shop.tokens_of(*people))

    assert (refused.returncode, refused.stdout) == (4, "")
    assert "two different members" in refused.stderr
    assert shop.states() == []


def test_code_of_two_persons_is_a_look_only_once_the_member_who_asked_uses_it(shop: AccessShop) -> None:
    code = shop.ask(*OPEN)["code"]
    with pytest.raises(AccessRefused):
        shop.use(code, by="Support Sue")
    unused = shop.states(), [one["event"] for one in read_journal(shop.state)]
    shop.use(code, by="support  SAM")

    assert unused == ([], ["access approved", "refused"])
    assert [one["cg:kind"] for one in shop.records()] == ["break-glass", "permission-used"]
    assert shop.states() == ["customer not told for 0 days"]
    again = shop.run(*OPEN, stdin=shop.tokens_of("Support Sam", "Officer Olga"))
    assert (again.returncode, "say why in the reason" in again.stderr) == (4, True)
    assert shop.ask(*OPEN[:-4], *OPEN[-4:], "--event", "ticket 8")["code"]


def test_notice_is_mailed_once_and_stays_open_while_it_cannot_be(shop: AccessShop) -> None:
    shop.look()
    with shop.relay.up():
        shop.relay.refuse = {}
        sent = [shop.ask(*NOTIFY, people=SAM), shop.ask(*NOTIFY, people=SAM)]

    assert [len(one["sent"]) for one in sent] == [1, 0]
    assert shop.relay.counts == {f"c{int(CUSTOMER)}@mail.example": 1}
    text = shop.relay.messages[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "abuse: <b>stolen</b> cards" in text
    assert shop.states()[0].startswith("told on ")
    assert [one["cg:kind"] for one in shop.records()] == ["break-glass", "permission-used", "notice-given"]


def test_sending_a_notice_or_marking_it_as_given_needs_a_role(shop: AccessShop) -> None:
    look = shop.look()
    told = ("access", "told", look, "--how", "by letter")
    wrong = [(), ("Support Sam",), ("Officer Olga", "Officer Olga")]

    refused = [shop.run(*told, stdin=shop.tokens_of(*people)) for people in wrong]
    refused += [
        shop.run("access", "notify", stdin=shop.tokens_of(*people)) for people in ((), ("Analyst Ann",))
    ]

    assert {(one.returncode, one.stdout) for one in refused} == {(4, "")}
    assert shop.states() == ["customer not told for 0 days"]
    assert shop.run(*told, stdin=shop.tokens_of("Officer Olga")).returncode == 0
    (entry,) = [one for one in read_journal(shop.state) if one["event"] == "told a customer"]
    assert (entry["who"], entry["role"]) == ("Officer Olga", "officer")
    assert "by letter, says Officer Olga" in shop.states()[0]


def test_customer_without_an_address_stays_to_be_told(shop: AccessShop) -> None:
    look = shop.look("99999")

    with shop.relay.up():
        assert shop.run("access", "notify", stdin=shop.tokens_of("Support Sam")).returncode == 1
    assert [one["event"] for one in read_journal(shop.state)] == [
        "access approved",
        "looked without a code",
        "looked",
    ]
    told, officer = ("access", "told", look, "--how", "by letter"), shop.tokens_of("Officer Olga")
    assert shop.run(*told, stdin=officer).returncode == 0
    assert "by letter" in shop.states()[0]
    assert shop.run(*told, stdin=officer).returncode == 4


def test_named_law_puts_a_notice_off_until_its_day(shop: AccessShop) -> None:
    today = datetime.now(UTC).date()
    law = ("--law", "StPO 95a", "--until", str(today + timedelta(days=30)))
    shop.ask(*DISCLOSE, *law, people=("Officer Olga", "Owner Ole"))

    with shop.relay.up():
        assert shop.ask(*NOTIFY, people=SAM) == {"sent": [], "open": []}
    assert shop.states() == [f"put off until {today + timedelta(days=30)} by StPO 95a"]
    only = shop.run(*DISCLOSE, "--law", "StPO 95a", stdin=shop.tokens_of("Officer Olga", "Owner Ole"))
    assert only.returncode == 4
    over = ("--law", "StPO 95a", "--until", str(today))
    shop.ask(*DISCLOSE, *over, people=("Officer Olga", "Owner Ole"))
    with shop.relay.up():
        assert len(shop.ask(*NOTIFY, people=SAM)["sent"]) == 1
    (first, *_) = shop.records()
    assert (first["cg:kind"], first["cg:reason"], first["cg:scope"]) == (
        "disclosure",
        "Court of Leipzig; StPO 98",
        "one order",
    )


def test_store_holds_no_number_in_the_clear(shop: AccessShop) -> None:
    shop.look("number-4711")

    written = b"".join(path.read_bytes() for path in shop.state.glob("*.db*"))

    assert b"break-glass" in written
    assert b"number-4711" not in written


def test_access_opens_nothing_if_the_log_cannot_record_it(shop: AccessShop) -> None:
    code, tokens = shop.ask(*OPEN)["code"], shop.tokens_of("Officer Olga", "Owner Ole")
    for path in shop.state.glob("log.db*"):
        path.unlink()
    log = shop.state / "log.db"
    log.mkdir()

    refused = shop.run(*DISCLOSE, stdin=tokens)
    with pytest.raises(AccessRefused):
        shop.use(code)

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "nothing was done" in refused.stderr
    log.rmdir()
    assert shop.states() == []


def test_support_ends_a_customer_s_sessions_and_nobody_without_a_role_does(shop: AccessShop) -> None:
    end = ("access", "end-sessions", "--customer", CUSTOMER)

    assert shop.run(*end).returncode == 4
    assert shop.run(*end, stdin=shop.tokens_of("Analyst Ann")).returncode == 4
    with closing(SqliteStore(shop.state / "store.db")) as store:
        assert list(store.changes(0)) == []
        assert shop.run(*end, stdin=shop.tokens_of("Support Sam")).returncode == 0
        assert [(one.what, one.key) for one in store.changes(0)] == [("customer", CUSTOMER)]
    (entry,) = [one for one in read_journal(shop.state) if one["event"] == "ended sessions"]
    assert entry["who"] == "Support Sam"


def test_notice_that_cannot_be_mailed_says_why_and_holds_up_no_other(shop: AccessShop) -> None:
    rows = [("1", "jürgen@exämple.example", "de"), ("2", None, None), (3, "anna@mail.example")]
    code = f"ROWS = {rows!r}\n\n\nasync def active():\n    for one in ROWS:\n        yield one\n"
    (shop.directory / "odd_customers.py").write_text(code, encoding="utf-8")
    settings = shop.directory / "cookieguard.toml"
    settings.write_text(settings.read_text().replace("demo_site.shop.customers", "odd_customers"))
    for number in "123":
        shop.look(number)

    with shop.relay.up():
        sent = shop.run(*NOTIFY, stdin=shop.tokens_of(*SAM))

    assert (sent.returncode, sent.stdout) == (1, "1 of 3 notices sent\n")
    assert sent.stderr.count("mail.customers has no usable mail address") == 2
    assert shop.relay.counts == {"anna@mail.example": 1}


def test_look_that_a_lost_key_sealed_holds_up_no_other_notice(shop: AccessShop) -> None:
    look = shop.look()
    keyring = beside(shop.state)
    before = Keyring.loads(keyring.read_text())
    after = before.with_key(new_key(datetime.now(UTC)))
    after = after.promoted(after.ids[-1], now=datetime.now(UTC), force=True)
    keyring.write_text(after.dumps())
    shop.look("00004")
    keyring.write_text(Keyring([key for key in after.every if key.id not in before.ids]).dumps())
    for name in list(shop.tokens):
        del shop.tokens[name]
        assert shop.run("staff", "revoke", name).returncode == 0

    with shop.relay.up():
        sent = shop.run(*NOTIFY, stdin=shop.tokens_of(*SAM))
    told = shop.run("access", "told", look, "--how", "by letter", stdin=shop.tokens_of("Officer Olga"))

    assert (sent.returncode, sent.stdout) == (1, "1 of 2 notices sent\n")
    assert f"access {look}: the customer's number cannot be read" in sent.stderr
    assert (told.returncode, told.stdout) == (4, "")
