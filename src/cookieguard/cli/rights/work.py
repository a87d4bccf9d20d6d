"""`cookieguard work`, which processes customers' requests, and `cookieguard processing`, the GDPR's art. 30 record."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cookieguard.cli.options import ConfigOption, JsonOption, shop_config, store_answers
from cookieguard.cli.output import show_answer, show_json, show_line
from cookieguard.config import Config
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.documents import processing_page
from cookieguard.features.rights.values.processing import facts_of
from cookieguard.features.vendors.rows import in_force
from cookieguard.features.work import open_worker


def work(
    *,
    again: Annotated[
        bool,
        typer.Option("--again", help="Repeat the recent erasures, after a backup was restored."),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Process the requests that are due. Run it every minute, on any number of machines. Failures stay listed."""
    shop = shop_config(config)
    with store_answers():
        count = asyncio.run(_work(shop, again=again))
    done, participle = ("erased again", "erased again") if again else ("work", "processed")
    noun = "request" if count == 1 else "requests"
    show_answer({"done": done, "requests": count}, f"{count} {noun} {participle}", as_json=as_json)


def processing(
    *,
    as_html: Annotated[bool, typer.Option("--html", help="Write a page to print.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the record of processing (art. 30 GDPR), made from the declared controller, data, forms and vendors."""
    now = datetime.now(UTC)
    with store_answers():
        shop, today = in_force(Shop(config=shop_config(config), environ=os.environ, now=now)), now.date()
    if as_html:
        sys.stdout.write(processing_page(shop, today=today).decode("ascii"))
        return
    facts = facts_of(shop, today=today)
    if as_json:
        show_json(facts)
        return
    rows = [*facts["processing"], *facts["forms"], *facts["vendors"]]
    if not rows and not any(facts["controller"].values()):
        show_line("nothing is declared: there is no [controller], [[data]], [[forms]] or vendor")
    _show_row(facts["controller"])
    for row in (*rows, *facts["kept"], *facts["missing"]):
        show_line("")
        _show_row(row)


def _show_row(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if value:
            show_line(f"{name}: {', '.join(value) if isinstance(value, list | tuple) else value}")


async def _work(shop: Config, *, again: bool) -> int:
    async with open_worker(shop) as worker:
        return await (worker.again() if again else worker.work_all())
