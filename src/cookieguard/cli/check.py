"""`cookieguard check`: tells developers and CI whether a shop's configuration and app are ready to go live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cookieguard.check import Finding, examine
from cookieguard.check.answer import examine_app, guard_in
from cookieguard.check.edge import examine_edge
from cookieguard.cli.options import CONFIG_FILE, ConfigOption, JsonOption, config_file, shop_config
from cookieguard.cli.output import show_findings
from cookieguard.config.loading.app import load_app
from cookieguard.config.loading.trial import tried
from cookieguard.errors import ConfigError

AppArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODULE:APP]",
        help="The guarded app, of which the configuration and one page are checked in this process.",
    ),
]
PageOption = Annotated[str, typer.Option("--page", help="The page of the app to check.")]
EdgeOption = Annotated[str, typer.Option("--edge", help="Check the cache of a running shop: its page's URL.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings too.")]


def check(
    app: AppArgument = None,
    *,
    config: ConfigOption = None,
    page: PageOption = "/",
    edge: EdgeOption = "",
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check settings, banner and the shop's own Content-Security-Policy, for CI. Exit code 1 if something is wrong."""
    if app is not None and config is not None:
        raise ConfigError("--config", was="given with an app", allowed="only one: an app brings its own")
    try:
        findings = _of_app(app, page) if app is not None else _of_file(config)
        findings += examine_edge(edge) if edge else []
    except ConfigError as error:
        if app is not None and error.setting == "app":
            raise
        findings = [Finding("configuration", str(error), "correct this setting")]
    show_findings(findings, as_json=as_json, strict=strict)


def _of_app(target: str, page: str) -> list[Finding]:
    """Check an app, whose state is in a temporary directory meanwhile: a check records no visit and needs no key."""
    with tried():
        guard = guard_in(load_app(target))
        loaded = Finding("configuration", f"loaded from {target}")
        return [loaded, *examine(guard.config, today=datetime.now(UTC).date()), *examine_app(guard, page)]


def _of_file(config: ConfigOption) -> list[Finding]:
    shop, file = shop_config(config), config_file(config)
    loaded = f"{file} loads" if file else f"default settings, since there is no {CONFIG_FILE} here"
    return [Finding("configuration", loaded), *examine(shop, today=datetime.now(UTC).date())]
