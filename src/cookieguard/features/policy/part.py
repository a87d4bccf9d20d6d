"""The pages at {prefix}policy: the version in force, all other versions, the differences between them, and a feed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import lru_cache
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cookieguard.config.languages import language_of
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.policy.desk import POLICIES_PAGE, PolicyDesk
from cookieguard.features.policy.live_policy import LivePolicy, open_policy
from cookieguard.features.policy.values.difference import differences
from cookieguard.features.policy.values.ledger import Ledger
from cookieguard.features.policy.values.markdown import parse, render
from cookieguard.features.policy.values.versions import (
    Text,
    Version,
    in_force,
    public,
    texts_to_compare,
    upcoming,
)
from cookieguard.features.records.part import RecordsPart
from cookieguard.web.banner.page_language import language_asked, tag_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.http.policy_texts import PolicyTexts, objection_place
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ, READ_AND_POST, Page, Part

POLICY_PAGE = "policy"
PAGES_KEPT = 64  # rendered texts, and rendered differences, by version and language
MISSING = "there is no such version of the policy\n"
TEXT_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}
FEED_HEADERS = {**TEXT_HEADERS, "vary": "Accept-Language"}

_rendered = lru_cache(PAGES_KEPT)(render)
_differences = lru_cache(PAGES_KEPT)(differences)


def serve(guard: Guard) -> PolicyPart | None:
    """Return the part; None if the shop serves its policy itself. Raises ConfigError."""
    policy = open_policy(guard.config, guard.state, environ=guard.environ, clock=guard.clock)
    if policy is None:
        return None
    parse()
    records = guard.find(RecordsPart)
    if records is not None:
        policy.log = records.log.writer
    if guard.store is not None:
        guard.store.listen(policy.look)
    return PolicyPart(guard, policy)


class PolicyRequest(NamedTuple):
    """Hold what a page of the policy is made from: the public versions, and the language of the reader."""

    exchange: Exchange
    first: Version
    versions: Sequence[Version]  # the newest first
    ledger: Ledger | None
    current: Version | None
    ahead: Version | None
    wanted: str
    texts: PolicyTexts

    def before(self, version: Version) -> Version | None:
        """Return the version before the given one."""
        at = self.versions.index(version) + 1
        return self.versions[at] if at < len(self.versions) else None

    def text(self, version: Version) -> tuple[str, Text]:
        """Return a version's text for this reader, after the language it is in."""
        return version.text(self.wanted, self.exchange.parts.config.consent.language)

    def state(self, version: Version) -> str:
        """Return a sentence on a version: in force since a day, from a day on, or no longer."""
        days = {"date": version.effective, "announced": version.announced}
        if version is self.current:
            return self.texts.line("in_force", **days)
        return self.texts.line("ahead" if self.is_ahead(version) else "past", **days)

    def is_ahead(self, version: Version) -> bool:
        """Return whether a version comes after the one in force."""
        return self.current is None or self.versions.index(version) < self.versions.index(self.current)


class PolicyPart(Part):
    """Serve the pages of the versions, which may change while the shop runs."""

    def __init__(self, guard: Guard, policy: LivePolicy) -> None:
        self.policy = guard.ports.policy = policy
        self._log = policy.log
        staff = guard.part(PeoplePart).staff
        desk = PolicyDesk(guard, staff, policy).answer
        self.pages = (
            Page(POLICY_PAGE, READ, self.show),
            Page(f"{POLICY_PAGE}/", READ, self.show),
            staff_only(staff, POLICIES_PAGE, READ_AND_POST, desk, role="officer", title="Policy"),
        )

    def begin(self) -> None:
        self.policy.log = self._log
        self.policy.keep()

    def close(self, deadline: float) -> None:
        self.policy.log = None  # the log closes first, while the store's thread still checks the folder

    async def show(self, exchange: Exchange, _: Receive) -> Response:
        """Answer GET {prefix}policy and below: /NAME, /NAME/changes, /NAME/en.md, /feed.xml; `?lang=` picks."""
        asked = self._asked(exchange)
        rest = exchange.path.removeprefix(exchange.parts.config.prefix + POLICY_PAGE).strip("/")
        if not rest:
            return _version_page(asked, asked.current)
        if rest == "feed.xml":
            return _feed(asked)
        name, _slash, page = rest.partition("/")
        version = next((version for version in asked.versions if version.name == name), None)
        if version is None:
            return _missing()
        if page == "changes":
            return _changes_page(asked, version)
        if page.endswith(".md"):
            return _source(version, page.removesuffix(".md"))
        return _version_page(asked, version) if not page else _missing()

    def _asked(self, exchange: Exchange) -> PolicyRequest:
        policy, today, lang = self.policy, exchange.now.date(), language_asked(exchange)
        versions, ledger = policy.dated(today), policy.history.ledger
        return PolicyRequest(
            exchange,
            versions[0],
            public(versions, ledger, today),
            ledger,
            in_force(versions, ledger, today),
            upcoming(versions, ledger, today),
            tag_asked(exchange) or lang,
            PolicyTexts.of(lang),
        )


def _version_page(asked: PolicyRequest, version: Version | None) -> Response:
    texts = asked.texts
    text_lang, text = asked.text(version) if version is not None else (texts.lang, None)
    none = texts.line("none", date=asked.first.effective)
    state = asked.state(version) if version is not None else none
    next_ = asked.ahead if asked.ahead is not version else None
    return _page(
        asked,
        "policy.html",
        version=version,
        text=text,
        text_lang=text_lang,
        body=Markup(_rendered(text.markdown)) if text is not None else "",  # noqa: S704  # `render` escapes it
        state=state,
        next=next_,
        next_line=texts.line("next", date=next_.effective) if next_ is not None else "",
        versions=[_row(asked, known) for known in asked.versions],
        languages=sorted(version.texts) if version is not None else [],
    )


def _changes_page(asked: PolicyRequest, version: Version) -> Response:
    before = asked.before(version)
    if before is None:  # the first version has nothing to be compared with
        return _missing()
    default = language_of(asked.exchange.parts.config.consent.language)
    text_lang, text = asked.text(version)
    compared, old, new = texts_to_compare(before, version, asked.wanted, default)
    heading = asked.texts.line("between", **{"from": before.effective, "to": version.effective})
    return _page(
        asked,
        "policy_changes.html",
        version=version,
        text=text,
        text_lang=text_lang,
        heading=heading,
        state=asked.state(version),
        compared=compared,
        changes=_differences(old.markdown, new.markdown),
        objection=objection_place(asked.exchange.parts.config, asked.exchange.own_base)
        if asked.is_ahead(version)
        else "",
    )


def _feed(asked: PolicyRequest) -> Response:
    moments = {name: entry.at.astimezone(UTC) for name, entry in (asked.ledger or {}).items()}
    entries = [
        {
            **_row(asked, new),
            "id": _urn(new.digest),
            "title": asked.state(new),
            "updated": f"{moments.get(new.name) or datetime.combine(new.announced, time()):%Y-%m-%dT%H:%M:%SZ}",
            "summary": " ".join([*asked.text(new)[1].summary, *_how_to_object(asked, new)]),
        }
        for new in asked.versions
    ]
    name = asked.exchange.request.origin.host
    page = asked.exchange.parts.renderer.page(
        "policy_feed.xml",
        asked.texts.lang,
        base=asked.exchange.own_base,
        p=asked.texts.texts,
        shop=name,
        id=_urn(f"policy {name}"),
        updated=max((str(entry["updated"]) for entry in entries), default="1970-01-01T00:00:00Z"),
        entries=entries,
    )
    return Response(page, 200, FEED_HEADERS, media_type="application/atom+xml")


def _how_to_object(asked: PolicyRequest, version: Version) -> Sequence[str]:
    """Return how to object to a version ahead, for an entry of the feed, with a whole address for feed readers."""
    if not asked.is_ahead(version):
        return ()
    exchange = asked.exchange
    place = objection_place(exchange.parts.config, f"{exchange.request.origin.text}{exchange.own_base}")
    return (asked.texts.texts["mail_object"], place) if place else ()


def _source(version: Version, language: str) -> Response:
    """Serve a text's file as it was announced, so that readers can compute its digest."""
    text = version.texts.get(language)
    if text is None:
        return _missing()
    return Response(text.source, 200, TEXT_HEADERS, media_type="text/markdown; charset=utf-8")


def _page(asked: PolicyRequest, template: str, **values: Any) -> Response:
    page = asked.exchange.parts.renderer.page(
        template, asked.texts.lang, base=asked.exchange.own_base, p=asked.texts.texts, **values
    )
    return HTMLResponse(page, 200, PAGE_HEADERS)


def _row(asked: PolicyRequest, version: Version) -> dict[str, Any]:
    has_before = asked.before(version) is not None
    return {"name": version.name, "shown": asked.texts.day(version.effective), "has_before": has_before}


def _urn(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


def _missing() -> Response:
    return PlainTextResponse(MISSING, 404, TEXT_HEADERS)
