"""Marketing mail starts when confirmed and ends by one click; link scanners, forged and replayed links change none."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from features.records.test_consent_log import recorded, status
from harness.asgi import Answer, ask, page
from harness.locks import locked
from harness.servers import wait_until

from cookieguard import Config, CookieGuard, mail, mail_lists
from cookieguard.config import MailSettings
from cookieguard.config.languages import texts_of
from cookieguard.errors import ConfigError
from cookieguard.features.records.store.open import open_stores, place_of

Guard = Callable[..., CookieGuard]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FORM = [("content-type", "application/x-www-form-urlencoded")]
CUSTOMER = "10042"


shop = page(headers=())


class Clock:
    """A clock that stands still until a test sets it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Reader:
    """A person who follows links of mail."""

    def __init__(self, app: CookieGuard, clock: Clock) -> None:
        self.app = app
        self.clock = clock

    def get(self, link: str) -> Answer:
        url = urlsplit(link)
        return ask(self.app, path=url.path, query=url.query)

    def post(self, link: str, body: bytes = b"", headers: list[tuple[str, str]] | None = None) -> Answer:
        url = urlsplit(link)
        found = FORM if headers is None else headers
        return ask(self.app, path=url.path, query=url.query, method="POST", headers=found, body=body)

    def press(self, page: Answer) -> Answer:
        """Press the one button of a page."""
        (action,) = re.findall(r'<form method="post" action="([^"]*)"', page.text)
        (token,) = re.findall(r'name="t" value="([^"]*)"', page.text)
        return self.post(unescape(action), f"t={unescape(token)}".encode())

    def agreed(self, list_: str = "news") -> bool:
        return asyncio.run(mail.agreed(CUSTOMER, list_))

    def confirm(self, list_: str = "news") -> Answer:
        return self.post(mail.confirm_link(CUSTOMER, list_))

    @property
    def stop(self) -> str:
        return mail.headers(CUSTOMER, "news")["List-Unsubscribe"].strip("<>")


@pytest.fixture
def reader(guard: Guard) -> Reader:
    clock = Clock()
    settings = MailSettings(lists=("news", "offers"))
    return Reader(guard(shop, origins=("https://shop.example",), mail=settings, clock=clock), clock)


def test_marketing_mail_starts_only_after_a_confirmation_and_opening_the_link_is_none(
    reader: Reader,
) -> None:
    link = mail.confirm_link(CUSTOMER, "news")

    assert not reader.agreed()
    for _ in range(3):
        page = reader.get(link)
    assert page.status == 200
    assert not reader.agreed()
    assert reader.press(page).status == 200
    assert reader.agreed()
    assert not reader.agreed("offers")


@pytest.mark.parametrize("lang", ["de", "fr", "he"])
def test_page_after_a_button_has_the_language_of_its_page(reader: Reader, lang: str) -> None:
    texts = texts_of(lang)

    asked = reader.get(f"{mail.confirm_link(CUSTOMER, 'news')}&lang={lang}")
    pressed = reader.press(asked)

    for answer, title in ((asked, "confirm_title"), (pressed, "confirmed_title")):
        assert f'<html lang="{lang}" dir="{texts["meta"]["dir"]}"' in unescape(answer.text)
        assert f"<h1>{texts['mail'][title]}</h1>" in unescape(answer.text)


def test_headers_are_those_of_rfc_8058_and_tell_nobody_the_number(reader: Reader) -> None:
    found = mail.headers(CUSTOMER, "news")

    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<https://shop\.example/_cg/mail/stop\?t=[\w.-]+>", found["List-Unsubscribe"])
    assert CUSTOMER not in found["List-Unsubscribe"]


def test_link_scanner_never_unsubscribes(reader: Reader) -> None:
    reader.confirm()

    for _ in range(3):
        page = reader.get(reader.stop)
    head = ask(reader.app, path="/_cg/mail/stop", query=urlsplit(reader.stop).query, method="HEAD")

    assert (page.status, head.status) == (200, 200)
    assert page.text.count("<button") == 1
    assert page.get("cache-control") == "private, no-store"
    assert page.get("referrer-policy") == "no-referrer"
    assert reader.agreed()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"List-Unsubscribe=One-Click", FORM),
        (b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--', None),
        (b"", [("origin", "https://mail.example"), ("sec-fetch-site", "cross-site")]),
    ],
)
def test_one_click_stops_a_list_without_login_however_often(
    reader: Reader, body: bytes, headers: list[tuple[str, str]] | None
) -> None:
    reader.confirm()
    sent = headers if headers is not None else [("content-type", "multipart/form-data; boundary=x")]
    link = reader.stop

    answers = [reader.post(link, body, sent) for _ in range(3)]

    assert [one.status for one in answers] == [200, 200, 200]
    assert not reader.agreed()


def test_reader_who_stopped_by_mistake_can_subscribe_again_at_once_but_not_by_an_old_link(
    reader: Reader,
) -> None:
    old = mail.confirm_link(CUSTOMER, "news")
    reader.confirm()
    reader.clock.now += timedelta(minutes=1)
    stopped = reader.post(reader.stop)
    assert "That was a mistake?" in stopped.text

    assert reader.post(old).status == 410  # made before it was stopped
    assert not reader.agreed()
    assert reader.press(stopped).status == 200
    assert reader.agreed()
    reader.clock.now += timedelta(minutes=1)
    reader.post(reader.stop)
    assert reader.press(stopped).status == 410  # that one was for the time before
    reader.clock.now += timedelta(minutes=31)
    assert not reader.agreed()


def test_token_is_good_for_its_list_and_its_act_only(reader: Reader) -> None:
    reader.confirm("news")
    reader.confirm("offers")
    token = urlsplit(reader.stop).query

    for act in ("confirm", "back"):
        assert reader.post(f"/_cg/mail/{act}?{token}").status == 410
    reader.post(reader.stop)

    assert (reader.agreed("news"), reader.agreed("offers")) == (False, True)


@pytest.mark.parametrize("token", ["", "x", "2.a.b.c", "%00", "<script>alert(1)</script>", "9" * 5000])
def test_forged_token_changes_nothing_and_is_not_shown(reader: Reader, token: str) -> None:
    reader.confirm()

    for answer in (reader.post(f"/_cg/mail/stop?t={token}"), reader.get(f"/_cg/mail/stop?t={token}")):
        assert answer.status == 410
        assert "<script>alert" not in answer.text
    tampered = reader.stop[:-2] + ("AA" if not reader.stop.endswith("AA") else "BB")
    assert reader.post(tampered).status == 410
    assert reader.agreed()


def test_links_end(reader: Reader) -> None:
    confirm, stop = mail.confirm_link(CUSTOMER, "news"), reader.stop
    reader.clock.now += timedelta(days=8)
    assert reader.post(confirm).status == 410
    assert reader.post(stop).status == 200
    reader.clock.now += timedelta(days=173)
    assert reader.post(stop).status == 410


def test_lists_that_the_log_writes_alike_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"mail\.lists is other, news_a, news-a; allowed: names that differ in"
    ):
        MailSettings(lists=("other", "news_a", "news-a"))


def test_body_that_is_too_long_is_refused(reader: Reader) -> None:
    assert reader.post("/_cg/mail/stop", b"t=" + b"x" * 25_000).status == 413


@pytest.mark.parametrize(
    ("customer", "list_"), [("", "news"), ("a\nb", "news"), ("x" * 201, "news"), ("1", "other")]
)
def test_list_or_number_that_cannot_be_is_refused(reader: Reader, customer: str, list_: str) -> None:
    with pytest.raises(mail.MailError):
        mail.headers(customer, list_)


def test_shop_without_lists_has_no_such_page_and_a_job_makes_its_own_links(
    guard: Guard, tmp_path: Path
) -> None:
    assert ask(guard(shop), path="/_cg/mail/stop").status == 404
    with pytest.raises(ConfigError, match=r"mail\.lists"):
        Config(mail=MailSettings(lists=("news",)))
    config = Config(
        origins=("https://shop.example",),
        mail=MailSettings(lists=("news",)),
        state_dir=str(tmp_path / "state"),
    )
    app = CookieGuard(shop, config)
    job = mail_lists(config)

    answer = Reader(app, Clock()).post(job.confirm_link(CUSTOMER, "news"))

    assert answer.status == 200
    assert asyncio.run(job.agreed(CUSTOMER, "news"))
    app.close()


def test_link_made_before_its_reader_stopped_the_list_once_more_confirms_nothing(reader: Reader) -> None:
    reader.confirm()
    reader.clock.now += timedelta(minutes=1)
    stop = reader.stop
    reader.post(stop)
    reader.clock.now += timedelta(minutes=1)
    asked = mail.confirm_link(CUSTOMER, "news")
    reader.clock.now += timedelta(minutes=1)
    assert reader.post(stop).status == 200

    assert reader.post(asked).status == 410
    assert not reader.agreed()


@pytest.mark.parametrize("root_path", ["", "/eu", "/a/b"])
def test_link_leads_to_the_page_of_a_shop_that_lies_below_a_path(guard: Guard, root_path: str) -> None:
    settings = MailSettings(lists=("news",), root_path=root_path)
    app = guard(shop, origins=("https://shop.example",), mail=settings)

    link = urlsplit(mail.headers(CUSTOMER, "news")["List-Unsubscribe"].strip("<>"))

    page = ask(app, path=link.path, query=link.query, root_path=root_path)
    assert (link.path, page.status) == (f"{root_path}/_cg/mail/stop", 200)


@pytest.mark.parametrize("root_path", ["/eu/", "eu", "/", "/a b", "/a?b"])
def test_root_path_that_is_none_is_refused(root_path: str) -> None:
    with pytest.raises(ConfigError, match=r"mail\.root_path"):
        MailSettings(root_path=root_path)


def test_each_decision_is_a_record_with_wording_language_and_version(reader: Reader) -> None:
    asked = reader.get(f"{mail.confirm_link(CUSTOMER, 'news')}&lang=de")
    reader.press(asked)
    reader.press(asked)  # changes nothing, so it is no record
    for _ in range(2):
        stopped = reader.post(reader.stop, b"List-Unsubscribe=One-Click")
    reader.press(stopped)

    records = recorded(reader.app)
    assert [(one["cg:kind"], one["cg:list"], one["cg:given"]) for one in records] == [
        ("mail-list", "news", True),
        ("mail-list", "news", False),
        ("mail-list", "news", True),
    ]
    assert {one["dpv:hasDataSubject"]["@id"] for one in records} == {f"customer:{CUSTOMER}"}
    assert [status(one) for one in records] == [
        "dpv:ConsentGiven",
        "dpv:ConsentWithdrawn",
        "dpv:ConsentGiven",
    ]
    notices = [one["dpv:hasNotice"] for one in records]
    assert [one["dct:language"] for one in notices] == ["de", "en", "en"]
    assert {one["dct:hasVersion"] for one in notices} == {reader.app.config.policy.version}
    assert notices[1]["cg:sha256"] == ""  # the mail program asked nobody
    config = reader.app.config
    with closing(open_stores(place_of(config, Path(config.state_dir), environ={}))) as stores:
        said = stores.log.text(notices[0]["cg:sha256"])
        assert stores.log.text(notices[1]["cg:digest"])
    assert said is not None
    assert texts_of("de")["mail"]["confirm_button"] in said.decode()


def test_first_decision_is_a_record_although_it_is_a_stop(reader: Reader) -> None:
    for _ in range(2):
        reader.post(reader.stop)

    assert [one["cg:given"] for one in recorded(reader.app)] == [False]


def test_while_the_log_is_down_a_list_can_be_stopped_but_not_confirmed(
    reader: Reader, tmp_path: Path
) -> None:
    reader.confirm("offers")
    stop = mail.headers(CUSTOMER, "offers")["List-Unsubscribe"].strip("<>")

    with locked(tmp_path / "state" / "log.db"):
        assert reader.post(stop).status == 200
        assert not reader.agreed("offers")
        assert reader.confirm("news").status == 503
        assert not reader.agreed("news")
    reader.app.close()  # what waited is written

    assert [(one["cg:list"], one["cg:given"]) for one in recorded(reader.app)] == [
        ("offers", True),
        ("offers", False),
    ]


def test_opt_in_counts_only_once_its_record_is_on_disk(reader: Reader, tmp_path: Path) -> None:
    reader.confirm("offers")
    link = mail.confirm_link(CUSTOMER, "news")

    with locked(tmp_path / "state" / "log.db"):  # since a moment ago, so no worker has noticed
        refused = [reader.post(link).status for _ in range(2)]
        assert not reader.agreed("news")

    assert refused == [503, 503]
    wait_until(lambda: reader.post(link).status == 200, "the log is written to again")
    assert reader.agreed("news")
    assert [one["cg:list"] for one in recorded(reader.app)] == ["offers", "news"]


def test_link_that_does_not_count_any_more_leaves_no_record(reader: Reader) -> None:
    link = mail.confirm_link(CUSTOMER, "news")
    reader.confirm()
    reader.clock.now += timedelta(seconds=1)
    reader.post(reader.stop)

    assert reader.post(link).status == 410
    assert [one["cg:given"] for one in recorded(reader.app)] == [True, False]
