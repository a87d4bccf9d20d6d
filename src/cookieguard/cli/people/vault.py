"""`cookieguard vault`, which makes and destroys the vault's keys, and `cookieguard reveal`, which opens an address."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cookieguard.cli.approvals import IN_ARGUMENTS, two_members
from cookieguard.cli.options import ConfigOption, JsonOption, KeyringOption, keyring_of, shop_config
from cookieguard.cli.output import show_answer, show_line, show_rows
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_between, require_text
from cookieguard.errors import ConfigError, RevealRefused
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.break_glass import REVEAL, BreakGlass, Ground, Look
from cookieguard.features.records.acts import acts_of
from cookieguard.features.vault.reveal_log import append_entry, read_entries
from cookieguard.features.vault.sealed_events import expire_keys, make_keys, private_key, read_events
from cookieguard.features.vault.vault_records import open_box
from cookieguard.keyring import Keyring, to_text
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener

vault = typer.Typer(help="Make the vault's keys in advance, and destroy the keys of past days.")


@vault.command("init")
def init(
    *,
    days: Annotated[int, typer.Option("--days", help="How many days, including today.")] = 14,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make key pairs in advance: the workers get the public keys, and `vault.private_dir` gets the private ones."""
    require_between("--days", days, 1, 400, "days")
    shop = shop_config(config)
    state, private = _directories(shop)
    private.keep_out_of_repositories()
    destroyed = _expire(shop, state, private)
    made = make_keys(state, private, today=_today(), days=days)
    _answer({"made": made, "destroyed": destroyed}, as_json=as_json)


@vault.command("expire")
def expire(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Destroy the private keys of days that ended `vault.keep_days` ago, and the events sealed to them."""
    shop = shop_config(config)
    _answer({"destroyed": _expire(shop, *_directories(shop))}, as_json=as_json)


def reveal(
    *,
    log: Annotated[bool, typer.Option("--log", help="Verify the reveal log and show it.")] = False,
    day: Annotated[str, typer.Option("--day", help="The event's day, like 2026-11-24.")] = "",
    event: Annotated[str, typer.Option("--event", help="The event's id. Default: list the day's.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded in the reveal log.")] = "",
    token: Annotated[list[str] | None, typer.Option("--token", hidden=True)] = None,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the address of one risk event. This needs the day's private key, a reason, and the tokens of two owners.

    It reads the tokens from standard input, one per line; at a terminal, it asks for each and shows neither.
    """
    if token:
        raise RevealRefused(IN_ARGUMENTS)
    shop = shop_config(config)
    state, private = _directories(shop)
    _expire(shop, state, private)
    if log:
        _show_log(read_entries(private.path), as_json=as_json)
        return
    of_day = _day(day)
    if not event:
        _show_events(read_events(state, of_day), as_json=as_json)
        return
    require_text("--reason", reason.strip(), longest=500)
    ring = keyring_of(shop, keyring)
    first, second = two_members(ring, state, first="owner", second="owner")
    facts = _opened(state, private, of_day, event)
    # Written before the address is shown: if the reveal log cannot be written, the address stays closed.
    entry = {"time": to_text(datetime.now(UTC)), "day": str(of_day), "event": event, "reason": reason.strip()}
    append_entry(private.path, entry | {"by": first.name, "with": second.name})
    if facts["customer"]:
        _open_notice(shop, ring, facts["customer"], entry, (first.name, second.name))
    lines = [
        f"address: {facts['address']}",
        *(f"{name}: {facts[name] or '-'}" for name in ("customer", "detail")),
    ]
    show_answer({"event": event, "day": str(of_day), **facts}, *lines, as_json=as_json)


def _open_notice(
    shop: Config, keyring: Keyring, customer: str, entry: dict[str, str], who: tuple[str, str]
) -> None:
    """Record that the customer is due a notice, which `cookieguard access notify` sends, if the store is here."""
    state = StateDirectory(shop.state_dir)
    file = store_file(shop.store, state.path, environ=os.environ)
    if not shop.store.enabled or (file is not None and not file.exists()):
        return
    look = Look(
        kind=REVEAL,
        ground=Ground.SECURITY.value,
        event=entry["event"],
        reason=entry["reason"],
        scope="the network address of one event",
        by=who[0],
        approved=who[1],
        at=datetime.now(UTC),
    )
    with (
        closing(store_opener(shop, state.path, environ=os.environ, keyring=keyring)()) as store,
        acts_of(shop, state, keyring, environ=os.environ) as acts,
    ):
        BreakGlass(store, Recipients(keyring), acts).add(look, customer)


def _directories(shop: Config) -> tuple[StateDirectory, StateDirectory]:
    allowed = "a separate directory outside state_dir that no worker can read"
    if not shop.vault.private_dir:
        raise ConfigError("vault.private_dir", was="empty", allowed=allowed)
    state, private = Path(shop.state_dir).resolve(), Path(shop.vault.private_dir).resolve()
    if private == state or state in private.parents or private in state.parents:
        raise ConfigError("vault.private_dir", was=f"{private} (overlaps with state_dir)", allowed=allowed)
    return StateDirectory(state), StateDirectory(private)


def _today() -> date:
    return datetime.now(UTC).date()


def _expire(shop: Config, state: StateDirectory, private: StateDirectory) -> list[date]:
    return expire_keys(state, private, today=_today(), keep_days=shop.vault.keep_days)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError("--day", was=repr(text[:20]), allowed="a day like 2026-11-24") from None


def _opened(state: StateDirectory, private: StateDirectory, day: date, event: str) -> dict[str, Any]:
    key = private_key(private, day)
    if key is None:
        raise RevealRefused(
            f"there is no private key for {day}: it was destroyed after vault.keep_days, or is elsewhere"
        )
    line = next((line for line in read_events(state, day) if line.get("id") == event), None)
    if line is None:
        raise RevealRefused(f"no event on {day} has this id; see: cookieguard reveal --day {day}")
    try:
        return open_box(line, key)
    except (KeyError, ValueError) as error:
        raise RevealRefused("this event cannot be opened: sealed to another key, or changed") from error


def _answer(days: dict[str, list[date]], *, as_json: bool) -> None:
    facts = {done: [str(day) for day in which] for done, which in days.items()}
    lines = (f"{done}: {', '.join(which) or 'none'}" for done, which in facts.items())
    show_answer(facts, *lines, as_json=as_json)


def _show_events(events: list[dict[str, Any]], *, as_json: bool) -> None:
    names = ("id", "hour", "event")
    facts = {"events": [{name: event[name] for name in names} for event in events]}
    show_rows(facts, names, [[str(event[name]) for name in names] for event in events], as_json=as_json)


def _show_log(entries: list[dict[str, Any]], *, as_json: bool) -> None:
    if not as_json:
        show_line(f"verified: {len(entries)} entries, none changed, moved or missing")
    names = ("number", "time", "day", "event", "by", "with", "reason")
    rows = [[str(entry.get(name, "")) for name in names] for entry in entries]
    show_rows({"verified": True, "entries": entries}, names, rows, as_json=as_json)
