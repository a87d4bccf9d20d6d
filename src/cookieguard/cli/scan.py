"""`cookieguard scan`: lists the third parties that learn of a visit to a shop, and drafts tables that declare them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cookieguard.cli.options import CONFIG_FILE, ConfigOption, JsonOption, config_file, shop_config
from cookieguard.cli.output import WRONG, show_json, show_line, write_file
from cookieguard.config import Config, load_catalogue
from cookieguard.config.loading.app import load_app
from cookieguard.config.loading.checks import require_origin
from cookieguard.config.loading.trial import tried
from cookieguard.config.purposes import NECESSARY
from cookieguard.errors import ConfigError, ScanFailed
from cookieguard.scan.addresses import Addresses
from cookieguard.scan.draft import added, draft, fitting
from cookieguard.scan.facts import Change, changes, facts_of, hosts_leaking, load_facts, report_page
from cookieguard.scan.forms import CARD, form_table, is_declared, merged
from cookieguard.scan.observations import Form, Scan
from cookieguard.scan.plan import (
    MEGABYTES,
    PAGES,
    SECONDS,
    Parties,
    Plan,
    is_app,
    load_steps,
    quiet,
    start_address,
)
from cookieguard.scan.serving import served
from cookieguard.scan.static_scan import scan_plainly
from cookieguard.scan.third_parties import Party, parties_of, still_held
from cookieguard.web.middleware import CookieGuard

MOST_NAMED = 4  # hosts, pages or names in one line of output
NO_PLAYWRIGHT = (
    "the scan drives a browser with Playwright, which is not installed: pip install '.[scan]' in cookieguard's "
    "checkout, or scan with --no-browser"
)

Target = Annotated[
    str, typer.Argument(metavar="URL|MODULE:APP", help="A shop's address, or an app to serve on loopback.")
]
Page = Annotated[str, typer.Option("--page", help="The page of an app to start at. Default: /.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only read pages: finds less.")]
Browser = Annotated[str, typer.Option("--browser", help="The Chromium to drive. Default: the one on PATH.")]
Pages = Annotated[int, typer.Option("--pages", min=1, max=1000, help="Pages to visit in each state.")]
Seconds = Annotated[int, typer.Option("--seconds", min=5, max=7200, help="Stop after this time.")]
Megabytes = Annotated[int, typer.Option("--megabytes", min=1, max=10_000, help="Stop after this much data.")]
Steps = Annotated[
    Path | None, typer.Option("--steps", help=r"A TOML file of \[\[steps]]: fill a basket, sign in.")
]
Accept = Annotated[
    str, typer.Option("--accept", help="Another banner's button that agrees, as a CSS selector.")
]
Refuse = Annotated[str, typer.Option("--refuse", help="Its button that refuses.")]
AllowPrivate = Annotated[bool, typer.Option("--allow-private", help="Contact private addresses too.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Accept any certificate.")]
AsOrigin = Annotated[
    str,
    typer.Option(
        "--as", help="The origin an app is served as. Default: the first of `origins`, else localhost."
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the report, with pictures, as one HTML file.")]
Save = Annotated[Path | None, typer.Option("--save", help="Write the result as JSON, for --diff.")]
Draft = Annotated[Path | None, typer.Option("--draft", help="Write the drafted tables into a separate file.")]
Write = Annotated[
    bool, typer.Option("--write", help=f"Add the drafted tables to the configuration ({CONFIG_FILE}).")
]
FailOnLeak = Annotated[
    bool, typer.Option("--fail-on-leak", help="Exit code 1 if a third party is reached without consent.")
]
Diff = Annotated[
    Path | None, typer.Option("--diff", help="List what is new since a --save; exit code 1 if anything is.")
]


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what a scan found: as values, as drafted tables, as facts for JSON, and as changes since the last scan."""

    scan: Scan
    parties: list[Party]
    tables: str
    facts: dict[str, Any]
    since: list[Change] | None
    forms: list[tuple[Form, tuple[str, ...], str]]
    """Each form, its pages, and the table that declares it; empty if the configuration does."""


def scan(  # one parameter for each option of the command
    target: Target,
    *,
    page: Page = "",
    no_browser: NoBrowser = False,
    browser: Browser = "",
    pages: Pages = PAGES,
    seconds: Seconds = SECONDS,
    megabytes: Megabytes = MEGABYTES,
    steps: Steps = None,
    accept: Accept = "",
    refuse: Refuse = "",
    allow_private: AllowPrivate = False,
    insecure: Insecure = False,
    as_origin: AsOrigin = "",
    out: Out = None,
    save: Save = None,
    draft_file: Draft = None,
    write: Write = False,
    fail_on_leak: FailOnLeak = False,
    diff: Diff = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Visit a shop as customers do, and list the third parties that learn of it in each state of consent."""
    shop = shop_config(config)
    is_first = diff is not None and diff == save and not diff.exists()  # the first run of a nightly scan
    before = load_facts(diff) if diff is not None and not is_first else None
    _require_folders({"--out": out, "--save": save, "--draft": draft_file})
    with ExitStack() as stack:
        page_path = _start_page(target, page)
        app, folder = _loaded(target, stack) if is_app(target) else (None, Path())
        if config is None and isinstance(app, CookieGuard):  # the app may declare vendors in code
            shop = app.config
        start, own = _place(app, folder, target, shop, as_origin, stack)
        start += page_path
        plan = Plan(
            start=start,
            addresses=Addresses(allow_private=allow_private, own=own),
            config=shop,
            target=target,
            pages=pages,
            seconds=seconds,
            megabytes=megabytes,
            steps=load_steps(steps) if steps is not None else (),
            accept=accept,
            refuse=refuse,
            browser=browser,
            insecure=insecure or (start.startswith("https:") and bool(own)),
            pictures=out is not None,
            progress=quiet if as_json else _progress,
        )
        seen = asyncio.run(_scan(plan, no_browser=no_browser))
    result = _result(seen, plan, before, _text_of(config))
    _write_files(result, out=out, save=save, draft_file=draft_file)
    added_to = _add_tables(result, config) if write else None
    if as_json:
        show_json(result.facts)
    else:
        _show(result, shows_draft=draft_file is None and not write)
        for file in (out, save, draft_file, added_to):
            if file is not None:
                show_line(f"wrote {file}")
        if is_first:
            show_line(f"{diff} did not exist yet: the next scan is compared with this one")
        if write:
            _show_still_held(result.scan, plan, config)
    is_new = any(change.is_new for change in result.since or ())
    if (fail_on_leak and result.facts["leaks"]) or is_new:
        raise typer.Exit(WRONG)


async def _scan(plan: Plan, *, no_browser: bool) -> Scan:
    if no_browser:
        return await scan_plainly(plan)
    try:
        from cookieguard.scan.browser.browser_scan import scan_by_browser
    except ImportError as error:
        raise ScanFailed(NO_PLAYWRIGHT) from error
    return await scan_by_browser(plan)


def _loaded(target: str, stack: ExitStack) -> tuple[Any, Path]:
    """Import an app, whose state is in a temporary folder: a scan changes no statistics and no consent log."""
    folder = stack.enter_context(tried())
    return load_app(target), folder


def _place(
    app: Any, folder: Path, target: str, shop: Config, as_origin: str, stack: ExitStack
) -> tuple[str, dict[tuple[str, int], tuple[str, int]]]:
    """Return the address to start at, and the loopback address at which an app's origin is served."""
    if not is_app(target):
        # The scan would not send the name and password, and the report would show them.
        if "@" in target.rpartition("://")[2].partition("/")[0]:
            allowed = "an address without them: let the scan in by its network address instead"
            raise ConfigError("URL", was="with a name or a password", allowed=allowed)
        try:
            return start_address(target), {}
        except ValueError as error:
            raise ScanFailed(f"{target} is neither an http(s) address nor module:app") from error
    if as_origin:
        require_origin("--as", as_origin.rstrip("/"))
    origin = urlsplit(as_origin or next(iter(shop.origins), ""))
    if not origin.hostname:
        place = stack.enter_context(served(app, folder, target=target))
        return f"http://localhost:{place[1]}/", {("localhost", place[1]): place}
    is_tls = origin.scheme == "https"
    host = origin.hostname if is_tls else ""
    place = stack.enter_context(served(app, folder, target=target, host=host))
    port = origin.port or (443 if is_tls else 80)
    return f"{origin.scheme}://{origin.netloc}/", {(origin.hostname, port): place}


def _start_page(target: str, page: str) -> str:
    """Return the path of an app's start page, without its first slash."""
    if page and not is_app(target):
        raise ConfigError(
            "--page", was="given with an address", allowed="a page of an app; write it into the address"
        )
    if page and not page.startswith("/"):
        raise ConfigError("--page", was=repr(page), allowed="a path that begins with /")
    return page[1:]


def _result(seen: Scan, plan: Plan, before: dict[str, Any] | None, settings: str) -> Result:
    parties = parties_of(
        seen, Parties(plan.start, plan.config), load_catalogue().in_preset(plan.config.purpose_preset)
    )
    tables = draft(parties, plan.config)
    facts = facts_of(seen, parties, fitting(tables, settings))
    forms = [
        (form, on, "" if is_declared(form, on, plan.config.forms) else form_table(form, on))
        for form, on in merged(seen.forms)
    ]
    return Result(seen, parties, tables, facts, None if before is None else changes(before, facts), forms)


def _write_files(result: Result, *, out: Path | None, save: Path | None, draft_file: Path | None) -> None:
    if out is not None:
        write_file("--out", out, report_page(result.scan, result.facts, result.since))
    if save is not None:
        save.touch(0o600)  # in the state directory, doctor reports files that other users can read
        write_file("--save", save, json.dumps(result.facts, indent=1).encode())
    if draft_file is not None:
        write_file("--draft", draft_file, result.tables.encode())


def _add_tables(result: Result, config: Path | None) -> Path | None:
    forms = [table for _, _, table in result.forms if table]
    if not (result.tables or forms):
        return None
    file = config_file(config) or Path(CONFIG_FILE)
    ends = "\r\n" if file.exists() and b"\r\n" in file.read_bytes() else "\n"
    write_file("--write", file, added(_text_of(config), result.tables, forms).replace("\n", ends).encode())
    return file


def _text_of(config: Path | None) -> str:
    file = config_file(config)
    return file.read_text("utf-8-sig") if file is not None else ""


def _require_folders(files: dict[str, Path | None]) -> None:
    """Check that the result can be written, before a scan that may take minutes."""
    for option, file in files.items():
        if file is not None and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
            why = "a folder" if file.is_dir() else "its folder is missing or cannot be written to"
            raise ConfigError(option, was=f"{file} ({why})", allowed="a file that can be written")


def _show(result: Result, *, shows_draft: bool) -> None:
    seen = result.scan
    states, parties = ", ".join(seen.states), len(result.parties)
    pages = f"{len(seen.pages)} page{'' if len(seen.pages) == 1 else 's'}"
    show_line(f"{seen.target}: {pages}, {states}; {parties} third part{'y' if parties == 1 else 'ies'}")
    for note in seen.notes:
        show_line(f"note: {note}")
    for party in result.parties:
        show_line(_party_line(party))
    for need in seen.needs:
        whose = ", ".join(need.hosts) or "a script that is held"
        show_line(f"{need.page} ({need.state}) needs {whose}: {need.message}")
    _show_forms(result, shows_draft=shows_draft)
    for change in result.since or ():
        show_line(change.line)
    if result.since is not None and not result.since:
        show_line("nothing changed since the last scan")
    if shows_draft and result.tables:
        show_line(f"\n{result.facts['draft']}\n--write puts these into {CONFIG_FILE}")


def _show_forms(result: Result, *, shows_draft: bool) -> None:
    for form, on, table in result.forms:
        show_line(_form_line(form, on))
        if table and shows_draft:
            show_line(f"not declared; to show it to visitors, add:\n{table}")


def _show_still_held(seen: Scan, plan: Plan, config: Path | None) -> None:
    """Show the hosts that neither the scanned configuration nor the written one declares."""
    declared = [Parties(plan.start, settings) for settings in (plan.config, shop_config(config))]
    for host in still_held(seen, *declared):
        show_line(f"{host} is still held: decide in {config_file(config) or CONFIG_FILE}")


def _party_line(party: Party) -> str:
    quiet = "loads" if party.purpose == NECESSARY and party.declared else "held until consent:"
    mark = "LEAK" if party.leaks else "named" if party.is_only_named else quiet
    elements = _few(list(dict.fromkeys(contact.element for contact in party.contacts)))
    pages = _few(list(party.pages))
    declared = ", not declared" if party.undeclared else ", declared"
    purpose = "the shop's own?" if party.may_be_own else party.purpose
    kept = f"; stores {_few(list(party.names))}" if party.names else ""
    learned = f"; learns {', '.join(party.told)}" if party.told else ""
    hosts = _few(list(hosts_leaking(party) or party.hosts))
    return f"{mark} {party.name} ({purpose}{declared}): {hosts} by {elements} on {pages}{kept}{learned}"


def _form_line(form: Form, pages: Sequence[str]) -> str:
    where = f"leads to {form.leads_to}" if form.leads_to else "leads to the shop"
    line = f"form on {_few(pages)} asks for {', '.join(form.asks)}; {where}"
    return f"{line}; use the payment company's fields for cards" if CARD in form.asks else line


def _few(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line[:100]}")
    else:
        sys.stderr.write(f"{line}\n")
