"""`cookieguard access`: opens a customer's data without the customer's code, records disclosures, sends the notices."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from cookieguard.cli.approvals import one_member, two_members
from cookieguard.cli.options import ConfigOption, JsonOption, KeyringOption, open_outbox, open_store, shop_of
from cookieguard.cli.output import WRONG, show_answer, show_line, show_rows
from cookieguard.config import Config
from cookieguard.config.languages import texts_of
from cookieguard.config.loading.checks import require_one_of, require_text
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.feature import Place
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.sending import send_to
from cookieguard.features.people.access import Permissions
from cookieguard.features.people.break_glass import (
    BREAK_GLASS,
    DISCLOSURE,
    REVEAL,
    BreakGlass,
    BreakGlassRefused,
    Ground,
    Look,
    due_notices,
    state_of,
)
from cookieguard.features.people.daily_limits import Use, require_turn
from cookieguard.features.people.journal import Journal
from cookieguard.features.policy.announcement_run import every_customer, load_customers, require_origin
from cookieguard.features.records.acts import acts_of
from cookieguard.features.rights.own_data import end_sessions
from cookieguard.features.rights.values.answers import PLAIN, RightsTexts
from cookieguard.features.work import after_restore
from cookieguard.identity.staff_token import Member
from cookieguard.mail.messages import AddressError, require_address
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import Store

NO_ADDRESS = "mail.customers has no usable mail address; tell the customer by letter, then run: cookieguard access told"
access = typer.Typer(help="View data without a customer's code, record a disclosure, and tell the customer.")

CustomerOption = Annotated[str, typer.Option("--customer", help="The customer number.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]
EventOption = Annotated[
    str, typer.Option("--event", help="The case this is about, such as a ticket or a file number.")
]
LawOption = Annotated[str, typer.Option("--law", help="The law that forbids a notice before --until.")]
UntilOption = Annotated[
    str, typer.Option("--until", help="The day from which the customer is told, like 2027-01-31.")
]


@dataclass(frozen=True, slots=True)
class AccessCommand:
    """Hold the shop, its open store, and the list of accesses for one of these commands."""

    shop: Shop
    glass: BreakGlass
    store: Store
    state: StateDirectory

    def journal(self, event: str, member: Member, what: str, customer: str) -> None:
        Journal(self.state, self.shop.keyring).write(
            self.shop.now, event, who=member.name, role=member.role, what=what, customer=customer
        )


@access.command("open")
def open_without_code(
    *,
    customer: CustomerOption,
    scope: Annotated[str, typer.Option("--scope", help="One of staff.scopes.")],
    ground: Annotated[str, typer.Option("--ground", help=f"One of {', '.join(Ground)}.")],
    event: EventOption,
    reason: ReasonOption,
    law: LawOption = "",
    until: UntilOption = "",
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a code for a customer who gave none. Two members of the staff approve it, and the customer is told.

    It reads two tokens from standard input: first of the support member who looks, then of the officer who approves.
    """
    require_one_of("--ground", ground, [allowed.value for allowed in Ground])
    with _desk(config, keyring) as desk:
        require_one_of("--scope", scope, desk.shop.config.staff.scopes)
        member, look = _approved(
            desk, BREAK_GLASS, customer, ground, event, reason, scope, law, until, first="support"
        )
        desk.glass.require_new(look, customer)
        journal = Journal(desk.state, desk.shop.keyring)
        require_turn(desk.shop.config, journal, member, Use.VIEW, customer)
        desk.journal("access approved", member, f"{look.kind}: {scope}", customer)
        permissions = Permissions(desk.shop.keyring, desk.shop.config.staff.scopes, _asking(desk.store))
        code = permissions.make(customer, scope, desk.shop.now, look).result()
    line = f"{member.name} can open {scope} once, within 10 minutes, with the code {code}"
    to_do = "once it is open, the customer has to be told; run: cookieguard access notify"
    show_answer({"code": code}, line, to_do, as_json=as_json)


@access.command("disclose")
def disclose(
    *,
    customer: CustomerOption,
    authority: Annotated[str, typer.Option("--authority", help="The authority that asked.")],
    basis: Annotated[str, typer.Option("--basis", help="The law under which it asked.")],
    given: Annotated[str, typer.Option("--given", help="What it received, in words.")],
    event: EventOption,
    law: LawOption = "",
    until: UntilOption = "",
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what was disclosed to an authority. Two officers approve it, and the customer is told.

    It reads the tokens of two officers from standard input.
    """
    for name, text in (("--authority", authority), ("--basis", basis), ("--given", given)):
        require_text(name, text, longest=500)
    reason = f"{authority}; {basis}"
    with _desk(config, keyring) as desk:
        ground = Ground.LEGAL.value
        member, look = _approved(
            desk, DISCLOSURE, customer, ground, event, reason, given, law, until, first="officer"
        )
        desk.journal("looked without a code", member, f"{look.kind}: {given}", customer)
        id_ = desk.glass.add(look, customer)
    line = f"disclosure {id_} is in the log; to tell the customer, run: cookieguard access notify"
    show_answer({"look": id_}, line, as_json=as_json)


@access.command("list")
def list_looks(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """List every access without a code and every disclosure, and whether the customer, who is not named, was told."""
    with _desk(config, keyring) as desk:
        rows = [
            {
                "id": id_,
                "kind": look.kind,
                "at": f"{look.at:%Y-%m-%d}",
                "by": look.by,
                "state": state_of(look, desk.shop.now),
            }
            for id_, look in desk.glass.looks().items()
        ]
    heads = ("id", "kind", "at", "by", "state")
    show_rows({"looks": rows}, heads, [tuple(row.values()) for row in rows], as_json=as_json)


@access.command("end-sessions")
def end_sessions_of(
    *, customer: CustomerOption, config: ConfigOption = None, keyring: KeyringOption = None
) -> None:
    """Log a customer out on every device within 5 s, and end every remembered login.

    It reads the token of a member with the role support from standard input.
    """
    require_text("--customer", customer, longest=200)
    with _desk(config, keyring) as desk:
        member = one_member(desk.shop.keyring, desk.state, "support")
        desk.journal("ended sessions", member, "on every device", customer)
        place = Place(desk.shop.config, desk.state.path, os.environ)
        after_restore(place, desk.shop.keyring, clock=lambda: datetime.now(UTC)).attach(desk.store)
        end_sessions(desk.store, customer, desk.shop.config, now=desk.shop.now)
    show_line(f"customer {customer} is logged out on every device")


@access.command("told")
def mark_told(
    look: Annotated[str, typer.Argument(metavar="ID", help="The id that `access list` shows.")],
    *,
    how: Annotated[str, typer.Option("--how", help="How, such as by letter or by telephone.")],
    config: ConfigOption = None,
    keyring: KeyringOption = None,
) -> None:
    """Record that a customer was told by means other than mail.

    It reads the token of an officer from standard input, because nothing else proves that the notice was given.
    """
    require_text("--how", how, longest=200)
    with _desk(config, keyring) as desk:
        member = one_member(desk.shop.keyring, desk.state, "officer")
        number = desk.glass.customer(look)
        desk.glass.tell(look, f"{how}, says {member.name}", desk.shop.now)
        desk.journal("told a customer", member, f"look {look[:20]}: {how}", number)
    show_line(f"{look}: the customer was told ({how})")


@access.command("notify")
def notify(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """Send the notices that are due, each once. Exit code 1 if one could not be sent.

    It reads the token of a member with the role support from standard input.
    """
    with _desk(config, keyring) as desk:
        member = one_member(desk.shop.keyring, desk.state, "support")
        due = due_notices(desk.glass.looks(), desk.shop.now)
        sent = [id_ for id_, look in due.items() if _notified(desk, member, id_, look)]
    facts = {"sent": sent, "open": [id_ for id_ in due if id_ not in sent]}
    show_answer(facts, f"{len(sent)} of {len(due)} notices sent", as_json=as_json)
    if len(sent) < len(due):
        raise typer.Exit(WRONG)


def _approved(
    desk: AccessCommand,
    kind: str,
    customer: str,
    ground: str,
    event: str,
    reason: str,
    scope: str,
    law: str,
    until: str,
    *,
    first: str,
) -> tuple[Member, Look]:
    for name, text in (("--customer", customer), ("--event", event), ("--reason", reason)):
        require_text(name, text, longest=500)
    by, approved = two_members(desk.shop.keyring, desk.state, first=first, second="officer")
    return by, Look(
        kind=kind,
        ground=ground,
        event=event,
        reason=reason,
        scope=scope,
        by=by.name,
        approved=approved.name,
        at=desk.shop.now,
        law=law,
        until=_day(until),
    )


def _notified(desk: AccessCommand, member: Member, id_: str, look: Look) -> bool:
    """Send the notice of an access and return whether it was sent. A failure is shown, and does not stop the others."""
    try:
        number = desk.glass.customer(id_)
    except BreakGlassRefused as error:
        sys.stderr.write(f"cookieguard: {error}\n")
        return False
    require_origin(desk.shop.config)
    desk.journal("looked", member, f"address for the notice of look {id_}", number)
    address, language = asyncio.run(_address_of(desk.shop.config, number))
    if not address:
        sys.stderr.write(f"cookieguard: access {id_}: {NO_ADDRESS}\n")
        return False
    shop = desk.shop.config.origins[0].partition("://")[2]
    lang, summary, lines = notice_of(look, desk.shop.config.language_for(language))
    run = f"look-{id_}"
    with open_outbox(desk.shop) as outbox:
        sent = send_to(
            outbox,
            run,
            [address],
            config=desk.shop.config,
            recipients=Recipients(desk.shop.keyring),
            subject=f"{shop}: {summary}",
            lines=lines,
            language=lang,
            now=desk.shop.now,
            environ=os.environ,
        )
        is_sent = asyncio.run(sent).sent == 1
        if is_sent:
            desk.glass.tell(id_, "by mail", desk.shop.now)
            desk.journal("told a customer", member, f"look {id_}: by mail", number)
            outbox.forget(run)
    return is_sent


async def _address_of(config: Config, number: str) -> tuple[str, str]:
    async for customer in every_customer(load_customers(config.mail.customers)):
        if customer.number == number:
            with suppress(AddressError):
                return require_address(customer.address), customer.language
    return "", ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError("--until", was=repr(text[:20]), allowed="a day like 2027-01-31") from None


@contextmanager
def _desk(config: Path | None, keyring: Path | None) -> Iterator[AccessCommand]:
    shop = shop_of(config, keyring)
    state = StateDirectory(shop.state)
    with (
        open_store(shop) as store,
        acts_of(shop.config, state, shop.keyring, environ=shop.environ) as acts,
    ):
        yield AccessCommand(shop, BreakGlass(store, Recipients(shop.keyring), acts), store, state)


def _asking(store: Store) -> Callable[[Callable[[Store], str]], Future[str]]:
    def ask(question: Callable[[Store], str]) -> Future[str]:
        future: Future[str] = Future()
        future.set_result(question(store))
        return future

    return ask


def notice_of(look: Look, language: str) -> tuple[str, str, list[str]]:
    """Return the notice's language, its summary and its lines. Scope and reason are in the words of the staff."""
    texts = RightsTexts.of(language)
    words, colon = texts_of(texts.lang)["permission"], texts_of(texts.lang)["meta"]["colon"]
    key = "notice_gave" if look.kind == DISCLOSURE else "notice_looked"
    scope = words["scope_reveal"] if look.kind == REVEAL else look.scope
    ground = words.get(f"ground_{look.ground}", look.ground)
    summary = words[key].replace("{date}", texts.day(look.at.date()))
    lines = [
        summary,
        "",
        words["notice_what"].replace("{scope}", scope),
        words["notice_why"].replace("{reason}", f"{ground}{colon}{look.reason}"),
        "",
        words["notice_two"],
    ]
    return texts.lang, summary.translate(PLAIN), lines
