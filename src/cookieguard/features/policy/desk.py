"""The page {prefix}policies, where staff draft the next policy version, see what it changes, and announce it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config
from cookieguard.config.languages import language_of, texts_of
from cookieguard.engines.doctor import findings_of
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import AnnouncementRefused, CookieGuardError
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.staff_guard import StaffGuard, back_to, posted, staff_form
from cookieguard.features.policy.announcement_run import Notices, count_customers, load_customers
from cookieguard.features.policy.announcing import announce, find_version
from cookieguard.features.policy.due import due_of, run_so_far
from cookieguard.features.policy.folder import add_version, read_folder
from cookieguard.features.policy.kept_texts import read_kept
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.live_policy import LivePolicy, keep_copy
from cookieguard.features.policy.values.difference import differences
from cookieguard.features.policy.values.versions import Version, all_upcoming, dated, in_force, versions_of
from cookieguard.features.records.acts import Acts
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.values import WholeValue
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.guard import Guard

POLICIES_PAGE = "policies"
MOST_FIELDS = 3
MOST_BYTES = 1024 * 1024  # of a form: the longest policies of large companies in several languages
COUNT_SECONDS = 5.0  # to count the customers, while a member waits for the page
# Values of act=; any other saves the draft. ADD only shows the form again, with fields for another language.
DROP, ANNOUNCE, ADD = "drop", "announce", "add"
ANNOUNCED = "announced"  # the step after ANNOUNCE, whose page says what was done
Draft = Mapping[str, str]
"""Fields of the form by name, with who saved it (`by`) and when (`at`); empty if there is no draft."""
DRAFT: WholeValue[Draft] = WholeValue("policy", "draft", json.loads, lambda draft: json.dumps(draft).encode())
FIELD = re.compile(r"effective|material|(?:summary|text)-[A-Za-z-]{2,20}")
TEXT = "text-"


class PolicyDesk:
    """Show the versions, and keep a draft in the store. Only its announcement publishes the draft."""

    def __init__(self, guard: Guard, staff: StaffGuard, policy: LivePolicy) -> None:
        self._guard = guard
        self._staff = staff
        self._policy = policy

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer {prefix}policies: GET with ?step= and ?version=; POST act= and 303."""
        guard, keyring, status = self._guard, exchange.parts.keyring, 200
        shop = Shop(config=guard.config, environ=guard.environ, now=exchange.now, given=keyring)
        asked, message = first_values(exchange.request.query, MOST_FIELDS), ""
        if not exchange.request.is_read:
            asked = await posted(exchange, receive, POLICIES_PAGE, MOST_BYTES)
            try:
                if asked.get("act") != ADD:
                    step = await to_thread.run_sync(self._do, shop, asked, member)
                    return back_to(exchange, f"{POLICIES_PAGE}{step}")
            except CookieGuardError as error:
                message, status = str(error), 409
        found = await to_thread.run_sync(self._read, shop, asked, message)
        shell, form = self._staff.shell(exchange, member, "Policy"), staff_form(exchange, POLICIES_PAGE)
        render = partial(staff_page, "policies.html", shell, form=form, **found)
        return HTMLResponse(await to_thread.run_sync(render), status, STAFF_HEADERS)

    def _do(self, shop: Shop, asked: Mapping[str, str], member: Member) -> str:
        """Carry out a posted act, and return the query of the next page."""
        act, at = asked.get("act"), shop.now.isoformat()
        if act == ANNOUNCE:
            return f"?step={ANNOUNCED}&version={self._announce(shop, asked, member)}"
        with _store(shop) as store:
            DRAFT.change(store, partial(_draft_of, asked, by=member.name, at=at))
        return "" if act == DROP else "?step=changes"

    def _announce(self, shop: Shop, asked: Mapping[str, str], member: Member) -> str:
        """Announce a version, and return its name. If it is the draft, write that into the folder first."""
        found, policy = self._read(shop, asked, ""), shop.config.policy
        if found["trouble"]:
            raise AnnouncementRefused(found["trouble"])
        if found["is_draft"]:
            _require_same(found["draft"], asked)
        version = find_version(found["every"], asked.get("version", ""))
        load_customers(shop.config.mail.customers)  # a version takes effect only after its notices
        self._staff.journal.write(
            shop.now, "policy announced", who=member.name, role=member.role, what=version.name
        )
        if found["is_draft"]:
            add_version(Path(policy.folder), version)
        acts = Acts(self._policy.log, clock=self._guard.clock)
        with _store(shop) as store:
            ledger = announce(
                store, found["every"], version, now=shop.now, notice_days=policy.notice_days, record=acts
            )
            keep_copy(self._guard.state, ledger)
            DRAFT.change(store, lambda draft: {} if draft.get("effective") == version.name else draft)
        return version.name

    def _read(self, shop: Shop, asked: Mapping[str, str], trouble: str) -> dict[str, Any]:
        """Return the template's values: the versions, the draft, and the mails that announce the chosen version."""
        config, today = shop.config, shop.now.date()
        with _store(shop) as store:
            draft, ledger = DRAFT.read(store), read_ledger(store)
        try:
            texts, _ = read_folder(config, read_kept(config, shop.state, ledger, environ=shop.environ))
        except CookieGuardError as error:  # the versions that were read before stay in force
            texts, trouble = self._policy.history.versions, trouble or str(error)
        every, notices, wanted = texts, dict[str, Any](), asked.get("version") or draft.get("effective", "")
        try:
            if draft and asked.get("version") not in [version.name for version in texts]:
                every = _with_draft(texts, draft, config, today)
            if asked.get("step") in (ANNOUNCE, ANNOUNCED):
                notices = _notices(shop, every, find_version(every, wanted))
        except CookieGuardError as error:
            trouble = trouble or str(error)
        at = next((at for at, version in enumerate(every) if version.name == wanted), None)
        versions = dated(texts, ledger, today, config.policy.notice_days)
        ahead = all_upcoming(versions, ledger, today)
        return {
            **notices,
            "asked": asked,
            "config": config,
            "today": today,
            "trouble": trouble,
            "ledger": ledger,
            "draft": draft,
            "every": every,
            "versions": versions,
            "ahead": ahead,
            "target": None if at is None else every[at],
            "before": every[at - 1] if at else None,
            "is_draft": at is not None and at >= len(texts),
            "current": in_force(versions, ledger, today),
            "runs": {version.name: run_so_far(shop, version, ledger[version.name]) for version in ahead},
            "due": findings_of("policy", due_of, shop),
            "files": _files_of(draft, today),
            "differences": differences,
            "texts_of": texts_of,
        }


def _notices(shop: Shop, every: Sequence[Version], version: Version) -> dict[str, Any]:
    """Return the mails of a version by language, and the number of customers, None if the shop's function fails."""
    customers = load_customers(shop.config.mail.customers)
    notices, count = Notices(shop.config, every, Recipients(shop.keyring), shop.now), None
    with suppress(Exception):  # the shop's function may raise anything, or take too long
        count = asyncio.run(asyncio.wait_for(count_customers(customers), COUNT_SECONDS))
    mails = [notices.text(version, language) for language in version.texts]
    return {"mails": mails, "count": count}


def _store(shop: Shop) -> closing[Store]:
    return closing(store_opener(shop.config, shop.state, environ=shop.environ, keyring=shop.keyring)())


def _require_same(draft: Draft, fields: Mapping[str, str]) -> None:
    """Raise AnnouncementRefused if the draft was changed since the member opened the form they posted."""
    if draft.get("at", "") != fields.get("at", ""):
        who = draft.get("by", "another member")
        raise AnnouncementRefused(
            f"{who} changed the draft meanwhile; copy what you wrote, and open the draft again"
        )


def _draft_of(fields: Mapping[str, str], before: Draft, *, by: str, at: str) -> Draft:
    """Return the draft with the posted fields; raises AnnouncementRefused if another draft was saved meanwhile."""
    _require_same(before, fields)
    if fields.get("act") == DROP:
        return {}
    kept = {name: text.replace("\r\n", "\n") for name, text in fields.items() if FIELD.fullmatch(name)}
    return {**kept, "by": by, "at": at}


def _files_of(draft: Draft, today: date) -> dict[str, bytes]:
    """Return a draft as the files of a version's folder, by name; a language without a text has no file."""
    days = f"announced: {today}\neffective: {draft.get('effective', '')}"
    head = f"---\n{days}\nmaterial: {draft.get('material', '')}\nsummary:\n"
    files = {}
    for name, text in draft.items():
        if name.startswith(TEXT) and text.strip():
            language = name.removeprefix(TEXT)
            lines = filter(None, map(str.strip, draft.get(f"summary-{language}", "").split("\n")))
            summary = "".join(f"  - {line}\n" for line in lines)
            files[f"{language}.md"] = f"{head}{summary}---\n{text.strip()}\n".encode(errors="replace")
    return files


def _with_draft(before: Sequence[Version], draft: Draft, config: Config, today: date) -> tuple[Version, ...]:
    """Return the versions with the draft as the newest; raises CookieGuardError that says what is wrong with it."""
    name, files = draft.get("effective", ""), _files_of(draft, today)
    if name[:1].isdigit() and name <= (newest := str(before[-1].effective)):  # other names are refused below
        raise AnnouncementRefused(
            f"{name} is not after {newest}, the day of the newest version; choose a later day, or discard the draft"
        )
    folders = {
        old.name: {f"{language}.md": file for language, (_, file) in old.sources.items()} for old in before
    }
    language, days = language_of(config.consent.language), config.policy.notice_days
    return versions_of({**folders, name: files}, language=language, notice_days=days)
