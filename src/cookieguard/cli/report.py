"""`cookieguard report`: writes the dashboard to one HTML file that loads nothing else, or mails it once a week."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cookieguard.cli.options import ConfigOption, JsonOption, KeyringOption, shop_config, shop_of
from cookieguard.cli.output import show_answer, write_file
from cookieguard.cli.people.letter import require_recipients, send_weekly
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_one_of
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.letter import one_line
from cookieguard.features.statistics.asked import read_asked
from cookieguard.features.statistics.dashboard.overview import Overview, read_overview
from cookieguard.features.statistics.dashboard.render import details_page, overview_page
from cookieguard.features.statistics.dashboard.report_text import report_lines, report_subject
from cookieguard.features.statistics.dashboard.selection import BESIDE, COMPARED, RANGES, TABS, Selection
from cookieguard.features.statistics.dashboard.tabs import Details, read_details
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.notes import read_notes
from cookieguard.keyring import to_text
from cookieguard.office.layout import shop_name
from cookieguard.office.shell import Shell


def report(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write. An existing one is replaced.")
    ] = None,
    mail: Annotated[
        bool, typer.Option("--mail", help="Mail it to the addresses of `stats.report`, once a week each.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show the mail without sending it.")] = False,
    range_: Annotated[
        str,
        typer.Option("--range", help=f"One of {', '.join(RANGES)}; for a file 30, for a mail 7."),
    ] = "",
    tab: Annotated[
        str, typer.Option("--tab", help=f"The tab that a file shows, one of {', '.join(TABS)}.")
    ] = "summary",
    beside: Annotated[
        str, typer.Option("--beside", help="Compare with the period `before`, or with a `year` before.")
    ] = "before",
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write or mail the statistics: one file without scripts or links, and no figure of fewer than five people."""
    range_ = range_ or ("30" if out else "7")
    require_one_of("--range", range_, tuple(RANGES))
    require_one_of("--beside", beside, tuple(BESIDE))
    require_one_of("--tab", tab, tuple(TABS))
    if not (out or mail or preview):
        raise ConfigError("--out", was="missing", allowed="the file to write, or else --mail or --preview")
    if out and (mail or preview):
        raise ConfigError("--out", was="given with --mail or --preview", allowed="one of them at a time")
    if tab != "summary" and not out:
        raise ConfigError("--tab", was="given without --out", allowed="--out: mails show the summary")
    if mail and not preview:
        shop = shop_of(config, keyring)
        require_recipients(shop.config, "stats.report", shop.config.stats.report)
    else:
        shop = Shop(config=shop_config(config), environ=os.environ, now=datetime.now(UTC))
    now = shop.now.replace(microsecond=0)
    with Console(stderr=True).status("reading statistics"):  # shown on a terminal only
        found = _read(shop.config, Selection(tab, RANGES[range_], beside=beside), now)
    made, name = f"{now:%Y-%m-%d %H:%M} UTC", shop_name(shop.config.origins)
    if out is not None:
        write_file("--out", out, _file(found, made=made, shop=name))
        shown = found.range.id if found.range else None
        facts = {"done": "written", "file": str(out), "made": to_text(now), "range": shown}
        show_answer(facts, *found.notes, f"wrote {out}", as_json=as_json)
    elif isinstance(found, Overview):
        _mail(shop, found, name=name, made=made, as_json=as_json)


def _file(found: Overview | Details, *, made: str, shop: str) -> bytes:
    if isinstance(found, Overview):
        return overview_page(found, shell=Shell(shop=shop), made=made)
    return details_page(found, shell=Shell(shop=shop), made=made)


def _mail(shop: Shop, overview: Overview, *, name: str, made: str, as_json: bool) -> None:
    """Send the weekly mail, or show it if no keyring was read (`--preview`)."""
    subject = report_subject(overview, shop=name)
    lines = [one_line(line) for line in report_lines(overview, shop=name, made=made)]
    if shop.given is not None:
        addresses = shop.config.stats.report
        send_weekly("report", shop, addresses=addresses, subject=subject, lines=lines, as_json=as_json)
    else:
        show_answer({"subject": subject, "lines": lines}, subject, "", *lines, as_json=as_json)


def _read(shop: Config, selection: Selection, now: datetime) -> Overview | Details:
    try:
        state, before = Path(shop.state_dir).absolute(), shop.stats.before_consent
        with closing(open_engine(shop.stats, state, environ=os.environ).reader()) as reader:
            if selection.tab not in COMPARED:
                return read_details(
                    reader, selection, now=now, asked=read_asked(state), before_consent=before
                )
            return read_overview(
                reader,
                selection,
                now=now,
                hit_days=shop.stats.hit_days,
                steps=shop.stats.funnel,
                zone=shop.stats.zone,
                marks=read_notes(state),
                before_consent=before,
            )
    except EngineDown as error:
        allowed = "statistics that can be read: the shop's first visit creates them"
        raise ConfigError("stats", was=str(error), allowed=allowed) from error
