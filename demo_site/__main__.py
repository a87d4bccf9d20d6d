"""Start the shop, the same shop unguarded, and the ad network: `python -m demo_site`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from demo_site import adnet, shop
from demo_site.mailbox import taking_mail
from demo_site.serving import LOOPBACK, Server, bind, port_of, serve, server_for
from demo_site.shop.database import Database

if TYPE_CHECKING:  # the unguarded shop runs without CookieGuard
    from cookieguard import Config
    from cookieguard.identity.staff_token import Member
    from demo_site.policy_copy import Draft

VAR = Path(__file__).parent / "var"
FILLED_DAYS = 92  # on any date, two whole calendar months before this one, which the dashboard compares
ENDS_SOON = timedelta(days=12)  # the contract with one of the vendors
DATABASE = "DEMO_DATABASE"  # see shop/customers.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Hold the bound ports; `unguarded` and `mail` are None if the shop itself is unguarded."""

    ads: socket.socket
    shop: socket.socket
    unguarded: socket.socket | None
    mail: socket.socket | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until it is stopped; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        sockets = _bind(options)
    except OSError as error:
        print(f"The demo cannot start: {error}", file=sys.stderr)
        return 1
    now = datetime.now(UTC)
    guard = None if options.unguarded else _guard(options, sockets, now)
    is_new = _fill(options, now) if guard is not None else False
    commands = "" if guard is None else _commands(options, guard, sockets, is_new=is_new)
    servers = _servers(options, sockets, guard)
    links = {secrets.token_urlsafe(16): member for member in _members(options, guard, now)}
    print(commands, flush=True)
    print(_welcome(sockets, is_guarded=guard is not None), flush=True)
    if links:
        print(_sign_in(sockets, links), flush=True)
    print("  Stop with Ctrl-C.\n", flush=True)
    asyncio.run(_run(servers, sockets.mail, options.state_dir.parent / "mail", guard, links))
    return 0


def _fill(options: argparse.Namespace, now: datetime) -> bool:
    """Write made-up visitors into a new demo; return whether it is new."""
    from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
    from demo_site.traffic import fill

    if options.fill and not (options.state_dir / STATS_FILE).exists():
        print("\n  The first start makes up three months of a shop, which takes some seconds ...", flush=True)
    return bool(options.fill) and fill(options.state_dir, days=options.fill, now=now) > 0


def _members(options: argparse.Namespace, guard: Config | None, now: datetime) -> Sequence[Member]:
    if not options.fill or guard is None:
        return ()
    from demo_site.staff import demo_members

    return demo_members(options.state_dir, now=now)


async def _run(
    servers: Sequence[tuple[Server, socket.socket]],
    mail: socket.socket | None,
    kept: Path,
    guard: Config | None,
    links: Mapping[str, Member],
) -> None:
    if mail is None:
        await serve(servers)
        return
    async with taking_mail(mail, kept):
        if guard is None or not links:
            await serve(servers)
            return
        from demo_site.staff import keep_links

        keeping = asyncio.create_task(keep_links(guard, links))
        await serve(servers)
        keeping.cancel()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo_site", description=__doc__)
    parser.add_argument(
        "--shop-port", type=int, default=8000, help="0 takes a free port (default: %(default)s)"
    )
    parser.add_argument(
        "--ads-port", type=int, default=8001, help="the ad network's port (default: %(default)s)"
    )
    parser.add_argument(
        "--unguarded-port", type=int, default=8002, help="the unguarded copy's port (default: %(default)s)"
    )
    parser.add_argument(
        "--mail-port",
        type=int,
        default=8025,
        help="the port that takes the shop's mail (default: %(default)s)",
    )
    parser.add_argument(
        "--unguarded", action="store_true", help="serve the shop itself without CookieGuard, and no copy"
    )
    parser.add_argument(
        "--state-dir", type=Path, default=VAR / "cookieguard", help="CookieGuard's keys and log"
    )
    parser.add_argument(
        "--fill",
        type=int,
        nargs="?",
        default=0,
        const=FILLED_DAYS,
        metavar="DAYS",
        help="make up visitors of so many days (%(const)s), requests and staff, and print sign-in links",
    )
    parser.add_argument("--database", type=Path, default=VAR / "shop.sqlite3", help="the shop's SQLite file")
    return parser


def _bind(options: argparse.Namespace) -> Sockets:
    wanted = {"ads": options.ads_port, "shop": options.shop_port}
    if not options.unguarded:
        wanted |= {"unguarded": options.unguarded_port, "mail": options.mail_port}
    taken = {}
    for name, port in wanted.items():
        try:
            taken[name] = bind(port)
        except OSError as error:
            raise OSError(
                f"port {port} is taken; choose another with --{name}-port ({error.strerror})"
            ) from error
    return Sockets(
        ads=taken["ads"], shop=taken["shop"], unguarded=taken.get("unguarded"), mail=taken.get("mail")
    )


def _guard(options: argparse.Namespace, sockets: Sockets, now: datetime) -> Config:
    from demo_site.settings import guard_config

    contract = {"contract_end": now.date() + ENDS_SOON} if options.fill else {}
    return guard_config(
        **contract,
        ads_origin=_address("ads", sockets.ads),
        state_dir=_shown(options.state_dir),
        origins=(_address("shop", sockets.shop),),
        policy=_shown(options.state_dir.parent / "policy"),
        relay=f"smtp://{LOOPBACK}:{port_of(sockets.mail)}" if sockets.mail else "",
    )


def _shown(path: Path) -> Path:
    """Return a path relative to this folder if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _servers(
    options: argparse.Namespace, sockets: Sockets, guard: Config | None
) -> list[tuple[Server, socket.socket]]:
    ads_origin = _address("ads", sockets.ads)
    shops = {"shop.localhost": "Guarded shop" if guard else "Shop", "unguarded.localhost": "Unguarded shop"}
    if guard is None:
        del shops["unguarded.localhost"]
    network = adnet.create_app(shops=shops)
    main_shop = shop.create_app(ads_origin=ads_origin, database=options.database, guard=guard)
    servers = [
        (server_for(network, on_connection=network.state.log.note_connection), sockets.ads),
        (server_for(main_shop), sockets.shop),
    ]
    if sockets.unguarded:
        plain = shop.create_app(ads_origin=ads_origin, database=options.database, guard=None)
        servers.append((server_for(plain), sockets.unguarded))
    return servers


def _address(label: str, taken: socket.socket) -> str:
    return f"http://{label}.localhost:{port_of(taken)}"


def _welcome(sockets: Sockets, *, is_guarded: bool) -> str:
    title = "The shop, guarded" if is_guarded else "The shop, unguarded"
    lines = [
        "",
        f"  {title:<28}{_address('shop', sockets.shop)}",
        f"  {'What the ad network receives':<28}{_address('ads', sockets.ads)}/_log",
    ]
    if sockets.unguarded:
        lines.append(f"  {'The same shop, unguarded':<28}{_address('unguarded', sockets.unguarded)}")
    return "\n".join([*lines, ""])


def _commands(options: argparse.Namespace, guard: Config, sockets: Sockets, *, is_new: bool) -> str:
    """Copy the policy, write the history of a new demo, and return the commands for the shop's owner as text."""
    from demo_site.policy_copy import keep_policy

    if options.database != _parser().get_default("database"):
        os.environ[DATABASE] = str(options.database)
    draft = keep_policy(guard, today=datetime.now(UTC).date())
    if is_new:
        from demo_site.story import tell

        Database(options.database)  # created first, because its customers get the notices
        tell(guard, draft.version, now=datetime.now(UTC))
        draft = draft._replace(is_announced=True)
    text = commands_of(guard, draft, ads_port=port_of(sockets.ads))
    if options.database == _parser().get_default("database"):
        return text
    return f"\n  First name the shop's database to them:\n    export DEMO_DATABASE={options.database}\n{text}"


def commands_of(guard: Config, draft: Draft, *, ads_port: int) -> str:
    """Return the commands to type in a second terminal, each with the configuration that it reads."""
    from demo_site.settings import settings_file

    file = settings_file(guard, ads_port=ads_port)
    program = _shown(Path(sys.executable).with_name("cookieguard"))
    announce = () if draft.is_announced else (f"policy announce {draft.version}",)
    title = f"The policy's version {draft.version} is announced. To send the notices that are still missing:"
    if announce:
        title = f"To announce the policy's newest version, {draft.version}, and to mail the customers:"
    acts = {
        "To check the shop, and to do what is due on its customers' requests:": ("doctor", "work"),
        title: ("policy status", *announce, "policy send"),
    }
    lines = [""]
    for what, some in acts.items():
        lines += [f"  {what}", *(f"    {program} {act} --config {file}" for act in some)]
    return "\n".join([*lines, f"  {'Their mail is written into':<28}{file.with_name('mail')}"])


def _sign_in(sockets: Sockets, links: Mapping[str, Member]) -> str:
    base = f"{_address('shop', sockets.shop)}/_cg/staff?link="
    lines = [f"    {member.role:<8} {base}{secret}" for secret, member in links.items()]
    return "\n".join(["  The console for staff. Each link signs you in with that role:", *lines, ""])


if __name__ == "__main__":
    sys.exit(main())
