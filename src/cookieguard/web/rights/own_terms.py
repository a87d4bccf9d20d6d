"""What is agreed with one customer alone, on pages: shown to staff and to the customer, and changed by an officer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread

from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.own_terms import OwnTerm, OwnTermRefused, OwnTerms, What
from cookieguard.engines.proof.acts import Acts
from cookieguard.engines.rights.own_terms import change_own_terms, read_own_terms
from cookieguard.engines.store.protocol import Store
from cookieguard.engines.store.sync import StoreSync
from cookieguard.errors import CookieGuardError
from cookieguard.proof.log import LogDown
from cookieguard.proof.records import customer as subject_of
from cookieguard.rights.answers import RightsTexts
from cookieguard.rights.requests import Request
from cookieguard.web.banner.localized_texts import shown_purposes
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import is_done

Answer = TypeVar("Answer")


class TermsDown(CookieGuardError):
    """Say that log or store takes nothing, so nothing was agreed."""


def own_term(exchange: Exchange, what: str, *, note: str, by: str, until: date | None) -> OwnTerm:
    """Return the term that `what` ("vendor NAME" or "purpose ID") says; raises OwnTermRefused."""
    kind, _, name = what.partition(" ")
    allowed = _may_be_kept(exchange)
    if what not in allowed:
        raise OwnTermRefused(f"{what[:80]!r} cannot be withheld; allowed: {', '.join(allowed)}")
    if until is not None and until < exchange.now.astimezone(UTC).date():
        raise OwnTermRefused(f"the last day is {until}; allowed: today or later")
    return OwnTerm(what=What(kind), name=name, note=note, by=by, at=exchange.now, until=until)


def own_terms_shown(exchange: Exchange, request: Request) -> dict[str, Any]:
    """Return what a page of the staff shows of who asked."""
    watched = exchange.parts.own_terms
    is_there = watched is not None and bool(request.customer)
    return {
        "own_terms": watched.of(request.customer) if watched is not None and is_there else (),
        "may_be_kept": _may_be_kept(exchange) if is_there else [],
    }


def own_terms_of(exchange: Exchange, number: str, texts: RightsTexts) -> list[dict[str, str]]:
    """Return what a customer reads of their own terms."""
    watched, today = exchange.parts.own_terms, exchange.now.astimezone(UTC).date()
    if watched is None or not number:
        return []
    titles = {one.id: one.title for one in shown_purposes(exchange.parts.config, texts.lang)}
    return [
        {
            "name": titles.get(one.name, one.name) if one.what is What.PURPOSE else one.name,
            "note": one.note,
            "until": "" if one.until is None else texts.line("own_until", date=one.until),
        }
        for one in watched.of(number)
        if one.holds_on(today)
    ]


async def change_terms(
    exchange: Exchange,
    number: str,
    change: Callable[..., OwnTerms],
    *,
    text: str,
    request: str,
    by: str,
) -> None:
    """Write a change into log and store, and have it count; raises TermsDown and OwnTermRefused."""
    parts = exchange.parts
    sync, watched, log = parts.store_sync, parts.own_terms, parts.proof
    if sync is None or watched is None:
        raise TermsDown("the store is switched off")
    # Before the record: the log keeps what it has.
    await _ask_store(sync, partial(_require_change, number=number, change=change))
    if log is not None:
        facts = {"said": text, "by": by, "request": request}
        write = partial(Acts(log.writer).append, "own-term", facts, subject=subject_of(number))
        try:
            await to_thread.run_sync(write)
        except LogDown as error:
            raise TermsDown("the consent log cannot be written") from error

    def written(store: Store) -> OwnTerms:
        return change_own_terms(store, lambda before: change(before, number))

    watched.follow(await _ask_store(sync, written))


def _require_change(store: Store, number: str, change: Callable[..., OwnTerms]) -> None:
    """Require that a change may be made, and makes one; raises OwnTermRefused."""
    before = read_own_terms(store)
    if change(before, number) == before:
        raise OwnTermRefused("nothing of this name is withheld from this customer")


async def _ask_store(sync: StoreSync, question: Callable[[Store], Answer]) -> Answer:
    future = sync.ask(question)
    if not await is_done(future):
        raise TermsDown("the store does not answer")
    failed = future.exception()
    if isinstance(failed, OwnTermRefused):
        raise failed
    if failed is not None:
        raise TermsDown("the store does not answer") from failed
    return future.result()


def _may_be_kept(exchange: Exchange) -> list[str]:
    config = exchange.parts.config
    purposes = [f"{What.PURPOSE} {one.id}" for one in config.purposes if one.id != NECESSARY]
    return [*(f"{What.VENDOR} {one.name}" for one in config.vendors), *purposes]
