"""`cookieguard export`: writes the statistics of each finished day to a file, for DuckDB or a spreadsheet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from cookieguard.cli.options import ConfigOption, JsonOption, shop_config
from cookieguard.cli.output import show_answer
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_one_of
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.engines.open import open_reader
from cookieguard.features.statistics.engines.protocol import EngineDown, HitReader, HitRows
from cookieguard.features.statistics.export.files import closed_days, export_day, remove_drafts
from cookieguard.features.statistics.export.formats import FORMATS
from cookieguard.features.statistics.export.tables import (
    HELD_BY_HITS,
    RULE,
    Table,
    date_of,
    hits_table,
    sums_table,
)
from cookieguard.stats.hits import SECONDS_OF_DAY, WHOLE, Dimension

SUMS, HITS = "sums", "hits"
NO_EXTRA = "csv or json, or parquet with its extra (pip install '.[export]' in cookieguard's checkout)"
NO_HITS = "its single hits are gone"
LEFTOVER_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Hold the checked options of the command."""

    what: str
    file_format: str
    days: tuple[int | None, int | None]
    dimensions: Sequence[Dimension]
    again: bool


@dataclass(slots=True)
class Done:
    """Collect the files written, the files that existed already, and the days left out with their reasons."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def export(
    *,
    out: Annotated[Path, typer.Option("--out", help="The directory; it is created if it is missing.")],
    what: Annotated[
        str,
        typer.Option(
            "--what",
            help="`sums`: the figures of each day, none of fewer than five people, for analysts; "
            "`hits`: single hits without visitor keys, for the owner.",
        ),
    ] = SUMS,
    format_: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "parquet",
    since: Annotated[str, typer.Option("--from", help="The first day (2026-11-20). Default: all.")] = "",
    until: Annotated[str, typer.Option("--to", help="The last day.")] = "",
    by: Annotated[str, typer.Option("--by", help="The breakdowns, such as page,source.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Write existing days again.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write each closed day (UTC) as a file. Existing files stay as they are, so cron may run this."""
    wanted = _wanted(what=what, file_format=format_, days=(since, until), by=by, again=again)
    shop, now = shop_config(config), datetime.now(UTC)
    with _explained(out):
        remove_drafts(out, now - LEFTOVER_AFTER)
        done = _export(shop, out, wanted, now)
    says = HELD_BY_HITS if what == HITS else RULE
    facts = {"done": "exported", "what": what, "holds": says, "directory": str(out)}
    show_answer(facts | asdict(done), *_lines(done), says, as_json=as_json)


def _wanted(*, what: str, file_format: str, days: tuple[str, str], by: str, again: bool) -> Wanted:
    require_one_of("--what", what, (SUMS, HITS))
    require_one_of("--format", file_format, tuple(FORMATS))
    for name in by.split(",") if by else ():
        require_one_of("--by", name, WHOLE)
    return Wanted(
        what=what,
        file_format=file_format,
        days=(_day("--from", days[0]), _day("--to", days[1])),
        dimensions=[Dimension(name) for name in dict.fromkeys(by.split(","))] if by else WHOLE,
        again=again,
    )


def _day(setting: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError as error:
        raise ConfigError(setting, was=repr(text), allowed="a day such as 2026-11-20") from error


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except EngineDown as error:
        allowed = "statistics that can be read: the shop's first visit creates them"
        raise ConfigError("stats", was=str(error), allowed=allowed) from error
    except ImportError as error:
        raise ConfigError("--format", was="parquet without its writer", allowed=NO_EXTRA) from error
    except OSError as error:
        allowed = "a directory that can be written, with free space"
        raise ConfigError("--out", was=f"{out} ({error.strerror})", allowed=allowed) from error


def _export(shop: Config, out: Path, wanted: Wanted, now: datetime) -> Done:
    with closing(open_reader(shop.stats, Path(shop.state_dir).absolute(), environ=os.environ)) as reader:
        done = Done()
        closed = closed_days(reader.span(), now)
        first, last = wanted.days
        days = [day for day in closed if (first is None or day >= first) and (last is None or day <= last)]
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for day in progress.track(days, description="exporting"):
                _export_day(shop, reader, out, wanted, day, now, done)
        return done


def _export_day(
    shop: Config, reader: HitReader, out: Path, wanted: Wanted, day: int, now: datetime, done: Done
) -> None:
    make, reason = _maker(shop, reader, wanted, day, now)
    to_bytes = FORMATS[wanted.file_format]
    file = out / f"{wanted.what}-{date_of(day)}.{wanted.file_format}"
    if reason and not file.exists():
        done.left_out[date_of(day)] = reason
        return
    file, is_new = export_day(
        out, wanted.what, wanted.file_format, day, lambda: to_bytes(make()), again=wanted.again and not reason
    )
    (done.written if is_new else done.kept).append(str(file))


def _maker(
    shop: Config, reader: HitReader, wanted: Wanted, day: int, now: datetime
) -> tuple[Callable[[], Table], str]:
    """Return a function that makes a day's table, and the reason if the table cannot be made any more."""
    if wanted.what == SUMS:
        return lambda: sums_table(reader, day, wanted.dimensions), ""
    if not isinstance(reader, HitRows):
        raise ConfigError("stats", was="an engine without single hits", allowed="--what sums")
    rows: HitRows = reader
    first_hit = int(now.timestamp()) // SECONDS_OF_DAY - shop.stats.hit_days
    return lambda: hits_table(rows, day), NO_HITS if day < first_hit else ""


def _lines(done: Done) -> Iterator[str]:
    yield from (f"wrote {file}" for file in done.written)
    if done.kept:
        yield f"{len(done.kept)} days existed already"
    reasons = {
        reason: [day for day, why in done.left_out.items() if why == reason]
        for reason in done.left_out.values()
    }
    for reason, days in reasons.items():
        yield f"left out {days[0]} to {days[-1]} ({len(days)} days): {reason}"
    if not (done.written or done.kept or done.left_out):
        yield "no day with any hits is over yet"
