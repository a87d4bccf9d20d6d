"""The policy page of the console: a draft is never published, and announcing does the same as the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import OWN, Desk
from harness.asgi import Answer, ask, no_app
from harness.policies import put_version

from cookieguard import CookieGuard, PolicyVersion
from cookieguard.config import MailSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.outbox.outbox import Row, outbox_opener
from cookieguard.features.people.journal import read_journal
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.storage.store.open import store_opener

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = "2026-12-15"
OLD = "# Privacy\n\nWe keep orders for ten years."
NEW = "# Privacy\n\nWe keep orders for six years."


def customers() -> list[tuple[str, str, str]]:
    return [("10001", "anna@mail.example", "en"), ("10002", "bert@mail.example", "en")]


class PolicyDesk(Desk):
    """The policy desk of a shop with one version, and an officer who is signed in."""

    def open(self, role: str = "officer", name: str = "Olga") -> str:
        return self.sign_in(self.add(role, name=name))

    def shown(self, cookie: str, query: str = "") -> Answer:
        return ask(
            self.app, path="/_cg/policies", query=query, headers=[("cookie", f"__Host-cg_staff={cookie}")]
        )

    def do(self, cookie: str, fields: dict[str, str], page: str = "step=edit") -> Answer:
        """Post a form of a page, with the hidden values of that form."""
        form = re.search(
            r'method="post" action="/_cg/policies">(.*?)</form>', self.shown(cookie, page).text, re.DOTALL
        )
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[1])) if form else {}
        body = urlencode({**hidden, **fields}).encode()
        headers = [*OWN, ("cookie", f"__Host-cg_staff={cookie}")]
        return ask(self.app, path="/_cg/policies", method="POST", headers=headers, body=body, bare=True)

    def save(self, cookie: str, **fields: str) -> Answer:
        draft = {
            "act": "save",
            "effective": DAY,
            "material": "true",
            "summary-en": "We keep orders for six years.",
            "text-en": NEW,
        }
        return self.do(cookie, draft | {name.replace("_", "-"): text for name, text in fields.items()})


def text(answer: Answer) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", answer.text)).split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policy"
    put_version(folder, "2026-01-01", OLD)
    return folder


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path, folder: Path) -> PolicyDesk:
    mail = MailSettings(
        sender="Shop <privacy@shop.example>", customers="features.policy.test_policy_desk:customers"
    )
    policy = PolicyVersion(folder=str(folder))
    return PolicyDesk(
        guard(no_app, origins=("https://shop.example",), policy=policy, mail=mail), tmp_path / "state"
    )


def announced(desk: Desk) -> set[str]:
    with closing(store_opener(desk.app.config, desk.state, environ={})()) as store:
        return set(read_ledger(store))


def test_only_officer_and_owner_open_the_desk_and_change_it(desk: PolicyDesk) -> None:
    opened = {
        role: desk.shown(desk.open(role, role)).status for role in ("analyst", "support", "officer", "owner")
    }
    saved = {role: desk.save(desk.open(role, f"{role} too")).status for role in ("analyst", "support")}

    assert opened == {"analyst": 403, "support": 403, "officer": 200, "owner": 200}
    assert saved == {"analyst": 403, "support": 403}
    assert "There is no draft" in desk.shown(desk.open()).text


def test_draft_begins_with_the_text_in_force_and_is_compared_with_it(desk: PolicyDesk, folder: Path) -> None:
    olga = desk.open()
    begun = desk.shown(olga, "step=edit")

    saved = desk.save(olga)
    compared = desk.shown(olga, "step=changes")

    assert "We keep orders for ten years." in begun.text
    assert (saved.status, saved.get("location")) == (303, "/_cg/policies?step=changes")
    assert "We keep orders for <del>ten</del><ins>six</ins> years." in compared.text
    assert "Saved by Olga on 2026-11-24 at 12:00 UTC" in text(desk.shown(olga))
    assert [one.name for one in folder.iterdir()] == ["2026-01-01"]
    assert ask(desk.app, path=f"/_cg/policy/{DAY}").status == 404
    assert announced(desk) == set()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"effective": "2026-12-01"}, "7 days after its announcement"),
        ({"effective": "2026-01-01"}, "is not after 2026-01-01"),
        ({"effective": "../../etc"}, "folders named after a day"),
        ({"text_en": " "}, "without en.md"),
        ({"summary_en": ""}, "summary is"),
        ({"text_fr": "Bonjour"}, "fr.md: summary"),
        ({"material": "perhaps"}, "true or false"),
    ],
)
def test_draft_that_cannot_be_announced_says_why_and_is_kept(
    desk: PolicyDesk, fields: dict[str, str], why: str
) -> None:
    olga = desk.open()

    desk.save(olga, **fields)

    assert why in text(desk.shown(olga, "step=changes"))
    assert 'value="announce"' not in desk.shown(olga, "step=announce").text
    assert "Saved by Olga" in text(desk.shown(olga))


def test_draft_that_is_too_long_to_compare_says_so_and_is_shown_below(desk: PolicyDesk) -> None:
    olga = desk.open()
    desk.save(olga, text_en="# Privacy\n" + "\nOne more.\n" * 2_001)

    compared = text(desk.shown(olga, "step=changes"))

    assert "These texts are too long to compare. Both are below" in compared
    assert compared.count("We keep orders for ten years.") == 1
    assert compared.count("One more.") == 2_001


def test_announcement_says_who_gets_which_mail_then_does_what_the_command_does(
    desk: PolicyDesk, folder: Path
) -> None:
    olga = desk.open()
    desk.save(olga)

    asked = desk.shown(olga, "step=announce")
    answer = desk.do(olga, {"act": "announce"}, "step=announce")
    after = text(desk.shown(olga, (answer.get("location") or "").partition("?")[2]))

    assert answer.get("location") == f"/_cg/policies?step=announced&version={DAY}"
    assert (
        f"Version {DAY} is announced for {DAY}, and 2 customers get a mail about it once the person who runs the"
        " server has run the command below."
    ) in after
    assert "and 2 customers" not in text(desk.shown(olga))
    assert "2 customers get the mail below" in text(asked)
    assert "21 days from today" in text(asked)
    assert "- We keep orders for six years." in asked.text
    assert "https://shop.example/_cg/policy/2026-12-15/changes" in asked.text
    assert (answer.status, announced(desk)) == (303, {DAY})
    assert [one.name for one in read_versions(desk.app.config)] == ["2026-01-01", DAY]
    assert (folder / DAY / "en.md").read_text().endswith(f"---\n{NEW}\n")
    assert "Version 2026-12-15 is announced Days left 21 Mails None yet" in after
    assert f"cookieguard policy announce {DAY} && cookieguard policy send" in after
    assert "There is no draft" in after
    assert [
        (one["who"], one["what"]) for one in read_journal(desk.state) if one["event"] == "policy announced"
    ] == [("Olga", DAY)]


def test_each_announced_version_is_shown_with_its_own_mails(desk: PolicyDesk) -> None:
    olga = desk.open()
    for day in (DAY, "2026-12-20"):
        desk.save(olga, effective=day)
        desk.do(olga, {"act": "announce"}, "step=announce")
    environ: dict[str, str] = {}
    with closing(outbox_opener(desk.app.config.store, desk.state, environ=environ)()) as outbox:
        outbox.add("policy-2026-12-20", [Row("a" * 32, "sealed"), Row("b" * 32, "sealed")])
        outbox.fill("policy-2026-12-20")

    shown = text(desk.shown(olga))
    due = text(ask(desk.app, path="/_cg/due", headers=[("cookie", f"__Host-cg_staff={olga}")]))

    assert "Mails: none prepared yet" in shown
    for day, mails in ((DAY, "21 Mails None yet"), ("2026-12-20", "26 Mails sent 0 Waiting 2 Failed 0")):
        assert f"Version {day} is announced Days left {mails}" in shown
        assert f"cookieguard policy announce {day} && cookieguard policy send" in shown
        assert f"Send the notices of policy {day}" in due
    assert "Mails: 0 of 2 sent" in shown


def test_language_is_added_to_a_draft_and_what_was_typed_stays(desk: PolicyDesk) -> None:
    olga = desk.open()

    added = desk.save(olga, act="add", add="de", text_en="# Privacy\n\nTyped, not saved.")
    form = re.findall(r'<textarea name="([a-z-]+)"[^>]*>([^<]*)', added.text)
    saved = desk.save(olga, text_en="Typed.", text_de="Getippt.", summary_de="Kurz.")

    assert (added.status, dict(form)) == (
        200,
        {
            "summary-en": "We keep orders for six years.",
            "text-en": "# Privacy\n\nTyped, not saved.",
            "summary-de": "",
            "text-de": "",
        },
    )
    assert f'value="{DAY}"' in added.text
    assert 'name="add"' in added.text
    assert "There is no draft" not in text(desk.shown(olga))
    assert (saved.status, "Kurz." in desk.shown(olga, "step=changes").text) == (303, True)


def test_language_that_is_added_saves_nothing(desk: PolicyDesk) -> None:
    olga = desk.open()

    desk.save(olga, act="add", add="de")

    assert "There is no draft" in text(desk.shown(olga))


def test_draft_for_a_day_before_the_newest_version_says_so_and_offers_a_later_day(desk: PolicyDesk) -> None:
    olga = desk.open()
    desk.save(olga, effective="2026-12-20")
    desk.do(olga, {"act": "announce"}, "step=announce")

    offered = desk.shown(olga, "step=edit")
    desk.save(olga, effective="2026-12-16")
    refused = desk.shown(olga, "step=changes")

    assert 'name="effective" type="date" required="" min="2026-12-21" value="2026-12-21"' in offered.text
    assert "2026-12-16 is not after 2026-12-20, the day of the newest version" in text(refused)
    assert "Correct it first" in text(refused)


def test_folder_that_the_shop_may_not_write_leaves_files_and_a_command(
    desk: PolicyDesk, folder: Path
) -> None:
    olga = desk.open()
    desk.save(olga)
    (folder / DAY).write_text("in the way")

    refused = desk.do(olga, {"act": "announce"}, "step=announce")
    file = re.search("<summary>en.md</summary><pre>(.*?)</pre>", refused.text, re.DOTALL)

    assert refused.status == 409
    assert "a folder that the shop may write" in text(refused)
    assert f"policy announce {DAY} &amp;&amp;" in refused.text
    assert announced(desk) == set()
    assert file is not None
    (folder / DAY).unlink()
    (folder / DAY).mkdir()
    (folder / DAY / "en.md").write_text(unescape(file[1]))
    assert [one.name for one in read_versions(desk.app.config)] == ["2026-01-01", DAY]
    assert "not announced" in text(desk.shown(olga))
    assert desk.do(olga, {"act": "announce"}, f"step=announce&version={DAY}").status == 303
    assert announced(desk) == {DAY}
    assert "There is no draft" in desk.shown(olga).text


@pytest.mark.parametrize(("act", "page"), [("announce", "step=announce"), ("drop", "step=drop")])
def test_draft_that_another_member_changed_meanwhile_is_neither_announced_nor_discarded_unread(
    guard: Callable[..., CookieGuard], folder: Path, tmp_path: Path, act: str, page: str
) -> None:
    times, policy = [NOW], PolicyVersion(folder=str(folder))
    mail = MailSettings(
        sender="Shop <privacy@shop.example>", customers="features.policy.test_policy_desk:customers"
    )
    origins = ("https://shop.example",)
    app = guard(no_app, origins=origins, policy=policy, mail=mail, clock=lambda: times[-1])
    desk = PolicyDesk(app, tmp_path / "state")
    olga, wim = desk.open(), desk.open("owner", "Wim")
    desk.save(olga)
    read = desk.shown(olga, page).text
    form = re.search(r'method="post" action="/_cg/policies">(.*?)</form>', read, re.DOTALL)
    assert form is not None
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[1]))
    times.append(NOW + timedelta(minutes=1))
    desk.save(wim, text_en="# Privacy\n\nWim's text.")

    answer = desk.do(olga, {**hidden, "act": act})

    assert answer.status == 409
    assert "Wim changed the draft meanwhile" in text(answer)
    assert announced(desk) == set()
    assert "Wim's text." in unescape(desk.shown(olga, "step=edit").text)


def test_draft_that_another_member_changed_meanwhile_is_not_overwritten(desk: PolicyDesk) -> None:
    olga, wim = desk.open(), desk.open("owner", "Wim")
    stale = {"at": ""}
    desk.save(wim, text_en="# Privacy\n\nWim's text.")

    answer = desk.save(olga, text_en="# Privacy\n\nOlga's text.", **stale)

    assert answer.status == 409
    assert "Wim changed the draft meanwhile" in text(answer)
    assert "Olga&#39;s text." in answer.text
    assert "Wim&#39;s text." in desk.shown(olga, "step=edit").text


@pytest.mark.parametrize(("step", "act"), [("announce", "announce"), ("drop", "drop")])
def test_click_of_one_member_counts_for_the_draft_they_saw_alone(
    guard: Callable[..., CookieGuard], tmp_path: Path, folder: Path, step: str, act: str
) -> None:
    times = (NOW + timedelta(milliseconds=one) for one in count())
    mail = MailSettings(
        sender="Shop <privacy@shop.example>", customers="features.policy.test_policy_desk:customers"
    )
    settings: dict[str, Any] = {"policy": PolicyVersion(folder=str(folder)), "mail": mail}
    app = guard(no_app, origins=("https://shop.example",), clock=lambda: next(times), **settings)
    desk = PolicyDesk(app, tmp_path / "state")
    olga, wim = desk.open(), desk.open("owner", "Wim")
    desk.save(olga)
    shown = desk.shown(olga, f"step={step}").text
    desk.save(wim, text_en="# Privacy\n\nWe sell your orders.")

    form = re.findall(r'method="post" action="/_cg/policies">.*?</form>', shown, re.DOTALL)[-1]
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    answer = ask(
        desk.app,
        path="/_cg/policies",
        method="POST",
        headers=[*OWN, ("cookie", f"__Host-cg_staff={olga}")],
        body=urlencode({**fields, "act": act}).encode(),
        bare=True,
    )

    assert answer.status == 409
    assert "Wim changed the draft meanwhile" in text(answer)
    assert not (folder / DAY).exists()
    assert "We sell your orders." in desk.shown(olga, "step=edit").text


def test_draft_is_discarded_only_after_a_question(desk: PolicyDesk) -> None:
    olga = desk.open()
    desk.save(olga)

    asked = desk.shown(olga, "step=drop")
    dropped = desk.do(olga, {"act": "drop"}, "step=drop")

    assert "that Olga saved on 2026-11-24 is deleted" in text(asked)
    assert dropped.status == 303
    assert "There is no draft" in desk.shown(olga).text


def test_form_of_another_page_changes_nothing_and_hostile_text_stays_text(desk: PolicyDesk) -> None:
    olga = desk.open()
    hostile = "<script>alert(1)</script>"

    stale = desk.do(olga, {"act": "save", "form": "x", "effective": DAY})
    desk.save(olga, text_en=f"{OLD}\n\n{hostile}", summary_en=hostile)

    assert stale.status == 403
    for query in ("", "step=edit", "step=changes", "step=announce", "step=drop", "step=none&version=x"):
        shown = desk.shown(olga, query)
        assert (shown.status, "<script" in shown.text) == (200, False)


def test_broken_folder_is_named_and_announces_nothing(desk: PolicyDesk, folder: Path) -> None:
    olga = desk.open()
    desk.save(olga)
    form = desk.shown(olga, "step=announce").text
    (folder / "2026-01-01" / "en.md").write_text("no front matter")
    (folder / "2026-02-01").mkdir()
    (folder / "2026-02-01" / "en.md").write_text("no front matter")

    shown = desk.shown(olga)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    body = urlencode({**hidden, "act": "announce"}).encode()
    posted = ask(
        desk.app,
        path="/_cg/policies",
        method="POST",
        headers=[*OWN, ("cookie", f"__Host-cg_staff={olga}")],
        body=body,
        bare=True,
    )

    assert "2026-02-01/en.md is without front matter" in text(shown)
    assert "Version 2026-01-01 is in force" in text(shown)
    assert (posted.status, announced(desk)) == (409, set())


def test_link_puts_no_words_of_its_own_on_the_page(desk: PolicyDesk) -> None:
    assert (
        "call this number"
        not in desk.shown(desk.open(), "message=call+this+number&version=call+this+number").text
    )


def test_long_draft_that_was_sent_after_the_session_is_shown_to_its_writer(desk: PolicyDesk) -> None:
    long = "A word of the draft. " * 5_000
    body = urlencode({"act": "save", "text-en": long, "form": "x"}).encode()

    answer = ask(
        desk.app,
        path="/_cg/policies",
        method="POST",
        headers=[*OWN, ("accept", "text/html")],
        body=body,
        bare=True,
    )

    assert answer.status == 403
    assert "Nothing was changed" in answer.text
    assert long.strip() in answer.text


def test_on_a_host_of_the_console_what_visitors_read_is_linked_on_the_shops_own(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    folder = tmp_path / "policies"
    put_version(folder, "2026-01-01", OLD)
    put_version(folder, DAY, NEW, announced="2026-11-24")
    settings = {"origins": ("https://shop.example",), "policy": PolicyVersion(folder=str(folder))}
    staff = StaffSettings(origin="https://staff.shop.example")
    desk = Desk(guard(no_app, staff=staff, **settings), tmp_path / "state")
    token = [("authorization", f"Bearer {desk.add('officer')}")]

    shown = ask(desk.app, path="/_cg/policies", host="staff.shop.example", headers=token)

    links = re.findall(r'href="([^"]*_cg/policy/[^"]*)"', shown.text)
    assert links == ["https://shop.example/_cg/policy/2026-01-01"]
    assert ask(desk.app, path="/_cg/policy/2026-01-01", host="shop.example").status == 200
