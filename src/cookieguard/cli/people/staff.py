"""`cookieguard staff`: adds, lists and revokes members of staff, signs them in, and shows the access journal."""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    keyring_of,
    require_state,
    shop_config,
    store_answers,
)
from cookieguard.cli.output import show_answer, show_rows
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_between, require_match, require_one_of, require_origin
from cookieguard.errors import ConfigError, StaffRefused
from cookieguard.features.people.journal import Journal, marks_of, read_journal
from cookieguard.features.people.sessions import FILE, LINK_LIFE, make_link, open_staff_store, staff_file
from cookieguard.features.people.staff_list import Members, change_staff, read_staff
from cookieguard.identity.staff_token import NAME, ROLES, Member, person_of, staff_codec, write_token
from cookieguard.keyring import Keyring, to_text
from cookieguard.storage.keyring_source import longest_life
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import Store

staff = typer.Typer(help="Add, list and revoke staff tokens.")


@staff.command("add")
def add_member(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The member's name. Each name has one token.")],
    *,
    role: Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")],
    days: Annotated[int, typer.Option("--days", help="How many days the token is valid.")] = 90,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for a member of the staff, and show it once."""
    require_match("NAME", name, NAME, "1 to 60 letters, digits, spaces and .@'-_")
    require_one_of("--role", role, ROLES)
    shop = shop_config(config)
    require_between("--days", days, 1, longest_life(shop).days, "days, the life of a retired key")
    codec = staff_codec(keyring_of(shop, keyring))
    now = datetime.now(UTC).replace(microsecond=0)
    made = Member(id=secrets.token_hex(6), name=name, role=role, made=now, expires=now + timedelta(days=days))

    def add(before: Members) -> Members:
        current = {member.id: member for member in before.values() if member.expires > now}
        names = (member.name for member in current.values())
        same = next((other for other in names if person_of(other) == person_of(name)), None)
        if same is not None:
            raise StaffRefused(f"{same} already has a token; first run: cookieguard staff revoke '{same}'")
        return current | {made.id: made}

    change_staff(StateDirectory(shop.state_dir).path, add)
    token = write_token(codec, made)
    line = f"added {name} ({role}) until {to_text(made.expires)}; the token is shown only once:"
    show_answer({"done": "added", "member": _facts(made), "token": token}, line, token, as_json=as_json)


@staff.command("link")
def link_member(
    who: Annotated[str, typer.Argument(metavar="NAME|ID", help="The name or id that `staff list` shows.")],
    *,
    at: Annotated[str, typer.Option("--at", help="The shop's address, if no setting has it.")] = "",
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link that signs a member in. It works once, within ten minutes, in any browser."""
    shop, now = shop_config(config), datetime.now(UTC)
    if at:
        require_origin("--at", at)
    base = f"{at}{shop.mail.root_path}{shop.prefix}" if at else shop.staff_base
    if not base:
        raise ConfigError(
            "origins", was="empty", allowed="the shop's address, here or as --at https://shop.example"
        )
    path = Path(shop.state_dir).absolute()
    require_state(path)
    called = [member for member in read_staff(path).values() if who in (member.id, member.name)]
    found = [member for member in called if now < member.expires]
    if len(found) != 1:
        raise StaffRefused(f"{len(found)} members are called {who[:60]!r}; see: cookieguard staff list")
    ring = keyring_of(shop, keyring)
    member, journal = found[0], Journal(StateDirectory(path), ring)
    with store_answers(), closing(_store_of(shop, path, ring)) as store:
        journal.write(now, "link made", who=member.name, role=member.role)
        url = f"{base}staff?link={make_link(store, member.id, now)}"
    end = to_text((now + LINK_LIFE).replace(microsecond=0))
    line = f"this link signs {member.name} ({member.role}) in, once, until {end}:"
    show_answer({"done": "linked", "member": _facts(member), "url": url}, line, url, as_json=as_json)


def _store_of(shop: Config, state: Path, keyring: Keyring) -> Store:
    """Open the store in which workers keep staff sessions; raises ConfigError if no worker has created it yet."""
    file = staff_file(shop, state, environ=os.environ)
    if file not in (None, state / FILE) and not file.exists():
        allowed = "the store of a shop that has started once; run this on the shop's server, in its folder"
        raise ConfigError("store", was=f"{file} (no such file)", allowed=allowed)
    return open_staff_store(shop, state, keyring, environ=os.environ)


@staff.command("list")
def list_members(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the members who have a token: id, name, role and dates, but not the token."""
    members = read_staff(Path(shop_config(config).state_dir)).values()
    rows = [_facts(member) for member in members]
    heads = ("id", "name", "role", "made", "expires")
    show_rows({"staff": rows}, heads, [tuple(row.values()) for row in rows], as_json=as_json)


@staff.command("revoke")
def revoke_member(
    who: Annotated[str, typer.Argument(metavar="NAME|ID", help="The name or id that `staff list` shows.")],
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a member's token. Within 5 s every worker refuses it."""
    revoked: list[Member] = []

    def revoke(before: Members) -> Members:
        revoked.extend(member for member in before.values() if who in (member.id, member.name))
        if not revoked:
            raise StaffRefused(f"no member is called {who[:60]!r}; see: cookieguard staff list")
        return {member.id: member for member in before.values() if member not in revoked}

    change_staff(StateDirectory(shop_config(config).state_dir).path, revoke)
    names = ", ".join(member.name for member in revoked)
    line = f"revoked {names}: within 5 s every worker refuses the token"
    show_answer({"done": "revoked", "members": [_facts(member) for member in revoked]}, line, as_json=as_json)


@staff.command("journal")
def show_journal(
    *,
    customer: Annotated[str, typer.Option("--customer", help="Only views of this customer's data.")] = "",
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show sign-ins, refusals and views of personal data, oldest first."""
    shop = shop_config(config)
    entries = list(read_journal(Path(shop.state_dir)))
    if customer:
        marks = marks_of(keyring_of(shop, keyring), customer)
        entries = [entry for entry in entries if entry.get("customer") in marks]
    names = ("time", "event", "who", "role", "what", "customer", "reason")
    rows = [[str(entry.get(name, "")) for name in names] for entry in entries]
    show_rows({"entries": entries}, names, rows, as_json=as_json)


def _facts(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.name,
        "role": member.role,
        "made": to_text(member.made),
        "expires": to_text(member.expires),
    }
