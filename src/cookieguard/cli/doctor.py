"""`cookieguard doctor`, which checks the running shop, and `cookieguard retention run`, which deletes expired data."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cookieguard.cli.options import (
    CONFIG_FILE,
    ConfigOption,
    JsonOption,
    config_file,
    require_state,
    shop_config,
)
from cookieguard.cli.output import WRONG, show_answer, show_findings
from cookieguard.config import Config
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.retention import Run, do, doubt_text, hold_record, read_run, write_run
from cookieguard.errors import ConfigError, KeyringFixed
from cookieguard.features.checks import examine
from cookieguard.features.feature import Place
from cookieguard.features.retention import jobs_of, jobs_of_owner
from cookieguard.keyring import to_text
from cookieguard.storage.state_directory import StateDirectory, mend_of

BelieveOption = Annotated[
    bool, typer.Option("--believe-clock", help="Trust the clock although it jumped, and delete by it.")
]

retention = typer.Typer(help="Delete data whose time is over.")


UrlsOption = Annotated[
    bool, typer.Option("--urls", help="Open the pages that the banner links to, for 5 s each at most.")
]


def doctor(*, config: ConfigOption = None, urls: UrlsOption = False, as_json: JsonOption = False) -> None:
    """Check the running shop: one line for each check, with the remedy. Exit code 1 if something is wrong."""
    findings = _findings(config, asks=urls)
    show_findings(findings, as_json=as_json)


@retention.command("run")
def run_now(
    *, config: ConfigOption = None, as_json: JsonOption = False, believe_clock: BelieveOption = False
) -> None:
    """Delete data whose time is over, and the vault's old keys; for cron. Exit code 1 if something was not done."""
    shop = shop_config(config)
    done = _run(shop, datetime.now(UTC), believes_clock=believe_clock)
    held_back = doubt_text(done.doubt) if done.doubt is not None else ""
    facts = {"removed": dict(done.removed), "failed": dict(done.failed), "held_back": held_back}
    lines = [
        f"{step}: done, {count} removed" if count else f"{step}: done" for step, count in done.removed.items()
    ]
    lines += [f"{step}: FAILED, {reason}" for step, reason in done.failed.items()]
    if held_back:
        lines.append(f"HELD BACK: {held_back}; if the clock is right, repeat this with --believe-clock")
    show_answer({"at": to_text(done.at), **facts}, *lines, as_json=as_json)
    if done.failed or held_back:
        raise typer.Exit(WRONG)


@retention.callback()
def _retention() -> None:
    """Delete data whose time is over."""


def _run(shop: Config, now: datetime, *, believes_clock: bool) -> Run:
    databases = (shop.store, shop.stats, shop.proof)
    if not any(settings.url or settings.environment in os.environ for settings in databases):
        require_state(Path(shop.state_dir).absolute())  # cron's folder would get a new, empty one
    state = StateDirectory(shop.state_dir)
    place = Place(shop, state.path, os.environ)
    try:
        with hold_record(state) as record:
            if record is None:
                raise KeyringFixed("a worker is running this job; try again in a minute")
            steps = jobs_of(place) | jobs_of_owner(place)
            done = do(steps, now, last=read_run(state.path), believes_clock=believes_clock)
            write_run(record, done)
    except OSError as error:
        mend = mend_of(error, "run this as the shop's user")
        raise KeyringFixed(f"{state.path} cannot be written ({error.strerror}); {mend}") from error
    return done


def _findings(config: Path | None, *, asks: bool) -> list[Finding]:
    try:
        shop = shop_config(config)
    except ConfigError as error:
        return [Finding("configuration", str(error), "correct this setting")]
    file, missing = config_file(config), f"default settings, since {Path.cwd()} has no {CONFIG_FILE}"
    added = f"; add --config {config} to the commands below" if config else ""
    loaded = f"{file.absolute()} loads{added}" if file else missing
    found = examine(shop, environ=os.environ, now=datetime.now(UTC), asks=asks)
    return [Finding("configuration", loaded), *found]
