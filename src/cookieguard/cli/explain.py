"""`cookieguard explain URL`: says why cookieguard holds an address on this shop, and which settings change that."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urljoin

import typer

from cookieguard.cli.options import ConfigOption, JsonOption, shop_config
from cookieguard.cli.output import show_answer
from cookieguard.config import load_catalogue
from cookieguard.errors import ConfigError
from cookieguard.scan.explain import explain as explain_address
from cookieguard.scan.plan import start_address

ANY_SHOP = "https://shop.example"
OWN_PATH = re.compile(r"/(?![/\\])")


def explain(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address as it is written in the page.")],
    *,
    shop: Annotated[
        str, typer.Option("--shop", help="The page's origin. Default: the first of `origins`.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say when an address is held, by which rule, whose it is, and which lines change that."""
    settings = shop_config(config)
    if load_catalogue().find(url) is not None:
        allowed = f'an http(s) address as it is written in the page; to declare the name: vendors = ["{url}"]'
        raise ConfigError("URL", was=f"{url!r}, a name of the catalogue", allowed=allowed)
    origin = shop or next(iter(settings.origins), ANY_SHOP)
    try:
        page = start_address(origin)
        found = explain_address(
            urljoin(page, url) if OWN_PATH.match(url) else start_address(url.removeprefix("//")),
            shop=page,
            config=settings,
            look_up=load_catalogue().in_preset(settings.purpose_preset),
            today=datetime.now(UTC).date(),
        )
    except ValueError as error:
        raise ConfigError("URL", was=repr(url[:80]), allowed="an http(s) address") from error
    agreement = f": {found.agreement}" if found.agreement else ""
    show_answer(
        asdict(found),
        f"{found.url}: {found.outcome}{agreement}",
        f"whose: {found.vendor or ('the shop' if found.purpose else 'not declared')}",
        *([f"purpose: {found.purpose}"] if found.purpose else []),
        f"rule: {found.rule}",
        *(f"\n{words}\n{lines}" for words, lines in found.changes),
        as_json=as_json,
    )
