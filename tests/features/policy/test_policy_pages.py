"""The policy's pages: the version in force, each other version at its own address, differences, feed and notice."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from features.records.test_consent_log import recorded
from harness.asgi import Answer, ask, page
from harness.parts import part_of
from harness.policies import FIRST, NEW, OLD, SECOND, put_version, two_versions
from harness.servers import wait_until
from harness.stores import SqliteStore, give_keyring

from cookieguard import CookieGuard, PolicyVersion, Vendor
from cookieguard.errors import ConfigError
from cookieguard.features.policy.ledger import change_ledger
from cookieguard.features.policy.part import PolicyPart
from cookieguard.features.policy.values.ledger import Announcement, Ledger
from cookieguard.identity import TokenCodec, TokenKind

Guard = Callable[..., CookieGuard]
ANNOUNCED = datetime(2026, 12, 1, 9, tzinfo=UTC)
PAGE = b'<!doctype html><html lang="en"><head><title>x</title></head><body><p>Shop</p></body></html>'
POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
DOCUMENT = [("sec-fetch-dest", "document")]
ATOM = "{http://www.w3.org/2005/Atom}"


shop = page(PAGE, headers=[("content-type", "text/html"), ("etag", '"1"')])


class Clock:
    """A clock that stands still until a test sets it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_versions(tmp_path / "policy")


@pytest.fixture
def announce(tmp_path: Path, folder: Path) -> Callable[..., None]:
    """Note an announcement in the store, complete or not."""

    def write(*, is_complete: bool = False) -> None:
        digest = hashlib.sha256((folder / SECOND / "en.md").read_bytes()).hexdigest()
        entry = Announcement(files={"en": digest}, at=ANNOUNCED, completed=ANNOUNCED if is_complete else None)
        (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
        give_keyring(tmp_path / "state")
        store = SqliteStore(tmp_path / "state" / "store.db")

        def with_it(before: Ledger) -> Ledger:
            return {**before, SECOND: entry}

        change_ledger(store, with_it)
        store.close()

    return write


def policy_of(folder: Path, **more: Any) -> PolicyVersion:
    return PolicyVersion(folder=str(folder), **more)


def test_policy_in_force_stands_under_the_prefix_with_its_summary_first(guard: Guard, folder: Path) -> None:
    app = guard(shop, policy=policy_of(folder))

    page = ask(app, path="/_cg/policy")

    assert page.status == 200
    assert page.text.index("In short") < page.text.index("We keep your orders for ten years")
    assert (
        "In force since \u20681 January 2026\u2069".encode("ascii", "xmlcharrefreplace").decode() in page.text
    )
    assert "six years" not in page.text  # a draft is nobody's business


def test_every_version_keeps_its_address_and_its_source_has_the_digest_shown(
    guard: Guard, folder: Path, announce: Callable[..., None]
) -> None:
    announce(is_complete=True)
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED + timedelta(days=14)))

    now, old = ask(app, path="/_cg/policy"), ask(app, path=f"/_cg/policy/{FIRST}")
    source = ask(app, path=f"/_cg/policy/{FIRST}/en.md")

    assert "six years" in now.text
    assert "ten years" in old.text
    assert "No longer in force" in old.text
    assert hashlib.sha256(source.body).hexdigest() in old.text
    assert source.get("content-type").startswith("text/markdown")
    assert source.get("x-content-type-options") == "nosniff"


def test_difference_shows_what_went_and_what_came(
    guard: Guard, folder: Path, announce: Callable[..., None]
) -> None:
    announce()
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED))

    page = ask(app, path=f"/_cg/policy/{SECOND}/changes")

    assert "<del>ten</del><ins>six</ins>" in page.text
    assert "<ins>Post tells nobody else.</ins>" in page.text
    assert ask(app, path=f"/_cg/policy/{FIRST}/changes").status == 404  # the first changed nothing


@pytest.mark.parametrize(
    ("days", "is_complete", "counts", "is_told"),
    [
        (0, True, "ten", True),
        (13, True, "ten", True),
        (14, True, "six", False),
        (15, True, "six", False),
        (14, False, "ten", True),
        (15, False, "ten", True),
    ],
)
def test_pages_tell_of_a_change_until_it_takes_effect(
    guard: Guard,
    folder: Path,
    announce: Callable[..., None],
    days: int,
    is_complete: bool,
    counts: str,
    is_told: bool,
) -> None:
    announce(is_complete=is_complete)
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED + timedelta(days=days)))

    policy, asked = ask(app, path="/_cg/policy"), ask(app, headers=DOCUMENT)
    answered = ask(app, headers=[*DOCUMENT, ("sec-gpc", "1")])

    assert f"for {counts} years" in policy.text
    link = f'href="/_cg/policy/{SECOND}/changes"'
    for answer in (asked, answered):
        assert (link in answer.text) is is_told
        assert ("Our privacy policy changes on" in answer.text) is is_told


@pytest.mark.parametrize("is_told", [False, True])
def test_record_of_a_choice_keeps_the_banner_with_the_line_about_the_policy_that_it_had(
    guard: Guard, folder: Path, announce: Callable[..., None], tmp_path: Path, is_told: bool
) -> None:
    if is_told:
        announce()
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED))
    banner = ask(app, headers=DOCUMENT).text.partition('name="banner" value="')[2].partition('"')[0]
    body = f"choice=accept&banner={banner}".encode()
    assert ask(app, path="/_cg/consent", method="POST", headers=POST, body=body).status == 303
    (record,) = [one for one in recorded(app) if one["cg:kind"] == "consent"]

    with closing(sqlite3.connect(tmp_path / "state" / "log.db")) as database:
        texts = dict(database.execute("SELECT digest, content FROM shown"))
    digest = record["dpv:hasNotice"]["cg:sha256"]
    shown = json.loads(texts[record["dpv:hasNotice"]["cg:digest"]])
    assert shown["cg:wordings"]["banner"] == digest == hashlib.sha256(texts[digest]).hexdigest()
    assert (b"Our privacy policy changes on" in texts[digest]) is is_told
    assert b"Accept all" in texts[digest]


def test_stored_page_from_before_a_notice_is_not_revalidated(
    guard: Guard, folder: Path, announce: Callable[..., None]
) -> None:
    before = ask(guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED)), headers=DOCUMENT)
    announce()
    after = ask(guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED)), headers=DOCUMENT)

    assert before.get("etag")
    assert before.get("etag") != after.get("etag")


def test_page_that_came_again_gets_the_notice_of_its_day(
    guard: Guard, folder: Path, announce: Callable[..., None]
) -> None:
    announce(is_complete=True)
    clock = Clock(ANNOUNCED + timedelta(days=13))
    app = guard(shop, policy=policy_of(folder), clock=clock)

    told = [ask(app, headers=DOCUMENT) for _ in range(4)]
    clock.now += timedelta(days=1)
    after = ask(app, headers=DOCUMENT)

    assert all(SECOND in one.text for one in told)
    assert SECOND not in after.text


def test_feed_lists_versions_and_parses(guard: Guard, folder: Path, announce: Callable[..., None]) -> None:
    put_version(folder, SECOND, NEW, announced="2026-12-01", summary="a <b> & ]]> \"'")
    announce()
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED))

    answer = ask(app, path="/_cg/policy/feed.xml")
    feed = ET.fromstring(answer.body)

    assert answer.get("content-type") == "application/atom+xml"
    entries = feed.findall(f"{ATOM}entry")
    assert [one.find(f"{ATOM}summary").text for one in entries] == [  # type: ignore[union-attr]
        "a <b> & ]]> \"' You can object to this change here: https://shop.example/_cg/privacy",
        "We keep orders for ten years.",
    ]
    assert entries[0].find(f"{ATOM}updated").text == "2026-12-01T09:00:00Z"  # type: ignore[union-attr]


def test_reader_picks_a_language_that_the_text_has(guard: Guard, folder: Path) -> None:
    put_version(folder, FIRST, "Wir behalten Bestellungen.\n", language="de", summary="Kurz.")
    app = guard(shop, policy=policy_of(folder))

    assert "Wir behalten" in ask(app, path="/_cg/policy", query="lang=de").text
    assert "Wir behalten" in ask(app, path="/_cg/policy", headers=[("accept-language", "de-AT,de")]).text
    assert "We keep" in ask(app, path="/_cg/policy", query="lang=fr").text


@pytest.mark.parametrize(
    "path",
    [
        "/_cg/policy/2020-01-01",
        f"/_cg/policy/{FIRST}/fr.md",
        f"/_cg/policy/{FIRST}/../../state/keyring",
        f"/_cg/policy/{FIRST}/..%2f..%2fstate",
        "/_cg/policy/<script>",
        f"/_cg/policy/{SECOND}",  # a draft
        f"/_cg/policy/{SECOND}/en.md",
    ],
)
def test_what_is_no_public_version_is_missing_in_plain_text(guard: Guard, folder: Path, path: str) -> None:
    answer = ask(guard(shop, policy=policy_of(folder)), path=path)

    assert answer.status == 404
    assert answer.get("content-type").startswith("text/plain")
    assert "<" not in answer.text


def test_hostile_text_stays_text(guard: Guard, folder: Path, announce: Callable[..., None]) -> None:
    put_version(
        folder,
        SECOND,
        "# <script>a</script>\n\n</article><img src=x onerror=a>\n",
        announced="2026-12-01",
        summary="</section><script>b</script>",
    )
    announce()
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED))

    for path in (f"/_cg/policy/{SECOND}", f"/_cg/policy/{SECOND}/changes", "/_cg/policy/feed.xml"):
        body = ask(app, path=path).text
        assert not re.search(r"<script>[ab]|<img", body), path


def test_posting_to_the_policy_is_refused(guard: Guard, folder: Path) -> None:
    assert ask(guard(shop, policy=policy_of(folder)), path="/_cg/policy", method="POST").status == 405


def test_shop_without_a_folder_has_no_such_page(guard: Guard) -> None:
    app = guard(shop)

    assert ask(app, path="/_cg/policy").status == 404
    assert ask(app, path="/_cg/policyholders").status == 404


def test_file_changed_after_its_announcement_is_refused_at_start(
    guard: Guard, folder: Path, announce: Callable[..., None]
) -> None:
    announce()
    guard(shop, policy=policy_of(folder))
    put_version(folder, SECOND, NEW + "\nAnd more.\n", announced="2026-12-01")

    with pytest.raises(
        ConfigError, match=r"policy.folder is different: 2026-12-15/en.md changed after its announcement"
    ):
        guard(shop, policy=policy_of(folder))


def test_folder_that_breaks_while_the_shop_runs_changes_nothing_and_is_told(
    guard: Guard, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(shop, policy=policy_of(folder))
    watched = part_of(app, PolicyPart).policy
    assert watched is not None
    ask(app)
    (folder / FIRST / "en.md").write_text("no front matter")

    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        watched._looked = float("-inf")
        watched.look(None)
        wait_until(lambda: watched.trouble, "the folder was looked at, perhaps by the store's thread")

    assert "ten years" in ask(app, path="/_cg/policy").text
    assert ask(app, headers=DOCUMENT).status == 200
    assert "policy.folder: 2026-01-01/en.md" in watched.trouble
    assert "stay in force" in caplog.text


def test_new_version_is_seen_without_a_restart(guard: Guard, folder: Path) -> None:
    clock = Clock(ANNOUNCED)
    app = guard(shop, policy=policy_of(folder), clock=clock)
    watched = part_of(app, PolicyPart).policy
    assert watched is not None
    put_version(folder, FIRST, OLD + "\nMend of a slip before anything was announced.\n")

    watched._looked = float("-inf")
    watched.look(None)

    wait_until(lambda: "Mend of a slip" in ask(app, path="/_cg/policy").text, "the new text is served")


class Browser:
    """One visitor."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def choose(self, app: CookieGuard, choice: str, *purposes: str) -> None:
        fields = [f"choice={choice}", *(f"purpose={one}" for one in purposes)]
        self._take(
            ask(
                app,
                path="/_cg/consent",
                method="POST",
                headers=self._with(POST),
                body="&".join(fields).encode(),
            )
        )

    def is_asked(self, app: CookieGuard) -> bool:
        return b'name="choice" value="accept"' in ask(app, headers=self._with(DOCUMENT)).body

    def _with(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [*headers, ("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))]

    def _take(self, answer: Answer) -> None:
        self.cookies |= {name: value for name, value in answer.cookies().items() if value}


ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
OTHER = Vendor(name="Other", purpose="marketing", hosts=("other.example",))


@pytest.mark.parametrize(
    ("choice", "purposes", "vendors", "is_asked"),
    [
        ("accept", (), (ADS,), False),  # another text alone asks nobody
        ("accept", (), (ADS, OTHER), True),
        ("save", ("marketing",), (ADS, OTHER), True),
        ("save", ("statistics",), (ADS, OTHER), False),  # nothing changed in what was agreed to
        ("reject", (), (ADS, OTHER), False),  # what was refused stays refused
    ],
)
def test_visitors_are_asked_again_only_for_what_matters_in_what_they_agreed_to(
    guard: Guard,
    folder: Path,
    announce: Callable[..., None],
    choice: str,
    purposes: tuple[str, ...],
    vendors: tuple[Vendor, ...],
    is_asked: bool,
) -> None:
    announce(is_complete=True)
    visitor = Browser()
    before = guard(shop, policy=policy_of(folder), vendors=(ADS,), clock=Clock(ANNOUNCED))
    visitor.choose(before, choice, *purposes)
    assert not visitor.is_asked(before)

    later = guard(
        shop, policy=policy_of(folder), vendors=vendors, clock=Clock(ANNOUNCED + timedelta(days=20))
    )

    assert visitor.is_asked(later) is is_asked


def test_choice_from_before_the_folder_was_set_still_counts(guard: Guard, folder: Path) -> None:
    visitor = Browser()
    visitor.choose(guard(shop, policy=PolicyVersion(version="2026-11")), "accept")

    assert not visitor.is_asked(guard(shop, policy=policy_of(folder, version="2026-11")))
    assert visitor.is_asked(guard(shop, policy=policy_of(folder, version="2026-12")))


def test_receipt_names_the_version_and_the_digest_of_its_text(guard: Guard, folder: Path) -> None:
    app = guard(shop, policy=policy_of(folder))
    visitor = Browser()

    visitor.choose(app, "accept")

    ((name, token),) = [one for one in visitor.cookies.items() if "consent" in one[0]]
    codec = TokenCodec(app._parts.keyring, kind=TokenKind.CONSENT, name=name, sealed=True)
    payload = codec.open(token, host="shop.example").payload
    version = part_of(app, PolicyPart).policy.history.versions[0]  # type: ignore[union-attr]
    assert (payload["p"], payload["h"]) == (FIRST, version.digest[:16])
    digest = hashlib.sha256((folder / FIRST / "en.md").read_bytes()).hexdigest()
    assert version.digest == hashlib.sha256(f"en {digest}\n".encode()).hexdigest()


def test_difference_is_one_of_texts_in_one_language_below_a_summary_in_the_reader_s(
    guard: Guard, folder: Path, announce: Callable[..., None]
) -> None:
    announce()
    german = "# Datenschutz\n\nWir behalten Ihre Bestellungen sechs Jahre.\n"
    put_version(
        folder,
        SECOND,
        german,
        language="de",
        announced="2026-12-01",
        effective=SECOND,
        summary="Sechs statt zehn.",
    )
    app = guard(shop, policy=policy_of(folder), clock=Clock(ANNOUNCED))

    page = ask(app, path=f"/_cg/policy/{SECOND}/changes", query="lang=de")

    assert "Sechs statt zehn." in page.text
    assert "<del>ten</del><ins>six</ins>" in page.text
    assert "Wir behalten" not in page.text
