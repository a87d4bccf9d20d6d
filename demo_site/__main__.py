"""Start the shop, the same shop unguarded, and the ad network: `python -m demo_site`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo_site import adnet, shop
from demo_site.serving import Server, bind, port_of, serve, server_for

VAR = Path(__file__).parent / "var"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Hold the ports taken; `unguarded` is missing where the shop itself is unguarded."""

    ads: socket.socket
    shop: socket.socket
    unguarded: socket.socket | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until it is stopped; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        sockets = _bind(options)
    except OSError as error:
        print(f"The demo cannot start: {error}", file=sys.stderr)
        return 1
    if options.fill and not options.unguarded:
        from demo_site.traffic import fill

        fill(options.state_dir, days=options.fill, now=datetime.now(UTC))
    servers = _servers(options, sockets)
    print(_welcome(sockets, is_guarded=not options.unguarded), flush=True)
    if options.fill and not options.unguarded:
        print(_sign_in(sockets, options.state_dir), flush=True)
    asyncio.run(serve(servers))
    return 0


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
        "--unguarded", action="store_true", help="serve the shop itself without CookieGuard, and no copy"
    )
    parser.add_argument(
        "--state-dir", type=Path, default=VAR / "cookieguard", help="CookieGuard's keys and log"
    )
    parser.add_argument(
        "--fill", type=int, default=0, metavar="DAYS", help="fill new statistics with made-up visitors"
    )
    parser.add_argument("--database", type=Path, default=VAR / "shop.sqlite3", help="the shop's SQLite file")
    return parser


def _bind(options: argparse.Namespace) -> Sockets:
    wanted = {"ads": options.ads_port, "shop": options.shop_port, "unguarded": options.unguarded_port}
    if options.unguarded:
        del wanted["unguarded"]
    taken = {}
    for name, port in wanted.items():
        try:
            taken[name] = bind(port)
        except OSError as error:
            raise OSError(
                f"port {port} is taken; choose another with --{name}-port ({error.strerror})"
            ) from error
    return Sockets(ads=taken["ads"], shop=taken["shop"], unguarded=taken.get("unguarded"))


def _servers(options: argparse.Namespace, sockets: Sockets) -> list[tuple[Server, socket.socket]]:
    ads_origin = _address("ads", sockets.ads)
    guard = None
    if not options.unguarded:
        from demo_site.settings import guard_config  # the unguarded shop runs without CookieGuard

        guard = guard_config(ads_origin=ads_origin, state_dir=options.state_dir)
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
        f"  {'What the ad network hears':<28}{_address('ads', sockets.ads)}/_log",
    ]
    if sockets.unguarded:
        lines.append(f"  {'The same shop, unguarded':<28}{_address('unguarded', sockets.unguarded)}")
    return "\n".join([*lines, "", "  Stop with Ctrl-C.", ""])


def _sign_in(sockets: Sockets, state_dir: Path) -> str:
    from demo_site.staff import demo_tokens

    base = f"{_address('shop', sockets.shop)}/_cg/"
    lines = [
        f"  {title:<28}{base}{page}"
        for title, page in (
            ("Statistics", "stats"),
            ("Requests of customers", "requests"),
            ("The officer's page", "officer"),
            ("Sign in for them at", "staff"),
        )
    ]
    tokens = demo_tokens(state_dir, now=datetime.now(UTC))
    lines += [f"  as {role:<8} with  {token}" for role, token in tokens.items()]
    lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
