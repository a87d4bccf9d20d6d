"""`cookieguard report`: the overview of the dashboard as one HTML file that asks nobody for anything."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cookieguard.cli.options import ConfigOption, JsonOption, shop_config
from cookieguard.cli.output import show_json, show_line
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_one_of
from cookieguard.engines.stats.open import open_reader
from cookieguard.engines.stats.protocol import EngineDown
from cookieguard.errors import ConfigError
from cookieguard.keyring import to_text
from cookieguard.web.dashboard.overview import Overview, read_overview
from cookieguard.web.dashboard.render import report_page, shop_name
from cookieguard.web.dashboard.selection import RANGES, Selection


def report(
    *,
    out: Annotated[Path, typer.Option("--out", help="The file to write; one of that name is replaced.")],
    range_: Annotated[str, typer.Option("--range", help=f"One of {', '.join(RANGES)}.")] = "30",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the statistics as one HTML file: no script, no link, nothing of fewer than five people."""
    require_one_of("--range", range_, tuple(RANGES))
    shop = shop_config(config)
    now = datetime.now(UTC).replace(microsecond=0)
    with Console(stderr=True).status("reading statistics"):  # seen on a terminal only
        overview = _read(shop, Selection(range=RANGES[range_]), now)
    _write(out, report_page(overview, made=f"{now:%Y-%m-%d %H:%M} UTC", shop=shop_name(shop.origins)))
    shown = overview.range.id if overview.range else None
    if as_json:
        show_json({"done": "written", "file": str(out), "made": to_text(now), "range": shown})
        return
    for note in overview.notes:
        show_line(note)
    show_line(f"wrote {out}")


def _read(shop: Config, selection: Selection, now: datetime) -> Overview:
    try:
        reader = open_reader(shop.stats, Path(shop.state_dir).absolute(), environ=os.environ)
        try:
            return read_overview(reader, selection, now=now, hit_days=shop.stats.hit_days)
        finally:
            reader.close()
    except EngineDown as error:
        allowed = "statistics that can be read: the shop's first visit makes them"
        raise ConfigError("stats", was=str(error), allowed=allowed) from error


def _write(out: Path, page: bytes) -> None:
    try:
        out.write_bytes(page)
    except OSError as error:
        raise ConfigError(
            "--out", was=f"{out} ({error.strerror})", allowed="a file that can be written"
        ) from error
