"""The policy's desk at {prefix}policies: a draft of the next version, what it changes, and its announcement."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.staff_guard import StaffGuard, back_to, posted, staff_form
from cookieguard.features.policy.announcement_run import Notices, every_customer, load_customers
from cookieguard.features.policy.announcing import announce, find_version
from cookieguard.features.policy.draft import DRAFT, draft_of, files_of, with_draft
from cookieguard.features.policy.due import due_of, run_so_far
from cookieguard.features.policy.folder import add_version, read_folder
from cookieguard.features.policy.kept_texts import read_kept
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.live_policy import LivePolicy, keep_copy
from cookieguard.features.policy.values.difference import differences
from cookieguard.features.policy.values.versions import dated, in_force, upcoming
from cookieguard.features.records.acts import Acts
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.guard import Guard

POLICIES_PAGE = "policies"
MOST_FIELDS = 4
MOST_BYTES = 1024 * 1024  # of a form: the longest policies of large companies in several languages
MOST_COUNTED, COUNT_SECONDS = 10_000, 5.0  # customers: a member waits for the page
SAVE, DROP, ANNOUNCE = "save", "drop", "announce"


class PolicyDesk:
    """Show the versions, and keep a draft in the store, which only its announcement publishes."""

    def __init__(self, guard: Guard, staff: StaffGuard, policy: LivePolicy) -> None:
        self._guard = guard
        self._staff = staff
        self._policy = policy

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer {prefix}policies: GET with ?step= and ?version=, or a draft's ?file=; POST act= and 303."""
        guard, keyring, status = self._guard, exchange.parts.keyring, 200
        shop = Shop(config=guard.config, environ=guard.environ, now=exchange.now, given=keyring)
        asked = first_values(exchange.request.query, MOST_FIELDS)
        if not exchange.request.is_read:
            asked = await posted(exchange, receive, POLICIES_PAGE, MOST_BYTES)
            try:
                step = await to_thread.run_sync(self._do, shop, asked, member)
                return back_to(exchange, f"{POLICIES_PAGE}{step}")
            except CookieGuardError as error:
                asked, status = {**asked, "message": str(error)}, 409
        found = await to_thread.run_sync(_read, shop, asked)
        file = asked.get("file", "")
        if file in found["files"]:
            headers = {**STAFF_HEADERS, "content-disposition": f'attachment; filename="{file}"'}
            return Response(found["files"][file], 200, headers, media_type="text/markdown")
        shell, form = self._staff.shell(exchange, member, "Policy"), staff_form(exchange, POLICIES_PAGE)
        render = partial(staff_page, "policies.html", shell, form=form, **found)
        return HTMLResponse(await to_thread.run_sync(render), status, STAFF_HEADERS)

    def _do(self, shop: Shop, asked: Mapping[str, str], member: Member) -> str:
        """Do what was posted, and return the query of the page that comes next."""
        act, at = asked.get("act"), shop.now.isoformat()
        if act == ANNOUNCE:
            self._announce(shop, asked, member)
            return ""
        with _store(shop) as store:
            DRAFT.change(
                store, lambda before: {} if act == DROP else draft_of(asked, before, by=member.name, at=at)
            )
        return "" if act == DROP else "?step=changes"

    def _announce(self, shop: Shop, asked: Mapping[str, str], member: Member) -> None:
        """Note that a version is announced; the draft is written into the folder first."""
        found, policy = _read(shop, asked), shop.config.policy
        version = find_version(found["every"], asked.get("version", ""))
        load_customers(shop.config.mail.customers)  # without notices the version would never take effect
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


def _read(shop: Shop, asked: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template shows: the versions, the draft, and of one version who gets which mail."""
    config, today, trouble = shop.config, shop.now.date(), asked.get("message", "")
    with _store(shop) as store:
        draft, ledger = DRAFT.read(store), read_ledger(store)
    texts, _ = read_folder(config, read_kept(config, shop.state, ledger, environ=shop.environ))
    versions, every = dated(texts, ledger, today, config.policy.notice_days), texts
    ahead, wanted = upcoming(versions, ledger, today), asked.get("version") or draft.get("effective", "")
    mails, count = [], None
    try:
        if draft and asked.get("version") not in [one.name for one in texts]:
            every = with_draft(texts, draft, config, today)
        if asked.get("step") == ANNOUNCE:
            version = find_version(every, wanted)
            notices = Notices(config, every, Recipients(shop.keyring), shop.now)
            mails = [notices.text(version, language) for language in version.texts]
            count = _count(config.mail.customers)
    except CookieGuardError as error:
        trouble = trouble or str(error)
    at = next((at for at, one in enumerate(every) if one.name == wanted), None)
    return {
        "asked": asked,
        "config": config,
        "today": today,
        "trouble": trouble,
        "draft": draft,
        "files": files_of(draft, today),
        "every": every,
        "versions": versions,
        "ledger": ledger,
        "current": in_force(versions, ledger, today),
        "ahead": ahead,
        "run": run_so_far(shop, ahead, ledger[ahead.name]) if ahead is not None else None,
        "due": [one for one in due_of(shop) if one.is_due],
        "target": None if at is None else every[at],
        "before": every[at - 1] if at else None,
        "is_draft": at is not None and at >= len(texts),
        "differences": differences,
        "texts_of": texts_of,
        "mails": mails,
        "count": count,
        "most": MOST_COUNTED,
    }


def _store(shop: Shop) -> closing[Store]:
    return closing(store_opener(shop.config, shop.state, environ=shop.environ, keyring=shop.keyring)())


def _count(setting: str) -> int | None:
    """Count the customers who get a mail, up to a limit; None if the shop's function does not answer in time."""

    async def counted() -> int:
        count = 0
        async with asyncio.timeout(COUNT_SECONDS):
            async for _ in every_customer(load_customers(setting)):
                count += 1
                if count == MOST_COUNTED:
                    break
        return count

    try:
        return asyncio.run(counted())
    except ConfigError:
        raise
    except Exception:  # noqa: BLE001 - the shop's own function raises what it likes
        return None
