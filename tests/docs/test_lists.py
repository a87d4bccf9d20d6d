"""The docs list every command of the command line and every name of a visitor."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from cookieguard import Config, Visitor
from cookieguard.cli.app import COMMANDS, EXIT_CODES, ExitCode, app_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COUNTING_LANGUAGES = ("README.md", "CHANGELOG.md", "docs/look.md")


def commands(command: Any, name: str) -> Iterator[str]:
    """Name each command that does something, as `keys list`."""
    parts = getattr(command, "commands", None)
    if parts is None:
        yield name
        return
    for part, below in parts.items():
        yield from commands(below, f"{name} {part}".strip())


def test_every_command_is_in_the_list_of_commands() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    named = {text.removeprefix("cookieguard ") for text in re.findall(r"`([^`]+)`", page)}

    found = list(commands(get_command(app_of(*COMMANDS)), ""))

    assert len(found) > 40
    assert [
        one for one in found if not any(text == one or text.startswith(f"{one} ") for text in named)
    ] == []


def test_every_exit_code_is_in_the_list_of_commands() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")

    assert set(EXIT_CODES.values()) <= set(ExitCode)
    assert [code for code in ExitCode if f"\n| {code.value} | " not in page] == []


def test_every_name_of_a_visitor_is_on_its_page() -> None:
    rows = [line for line in (DOCS / "visitor.md").read_text("utf-8").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}

    public = {name for name in vars(Visitor) if not name.startswith("_")}

    assert len(public) > 15
    assert public - named == set()


def test_the_number_of_languages_is_that_of_their_files() -> None:
    count = len(list((ROOT / "static" / "lang").glob("*.toml")))
    texts = [" ".join((ROOT / name).read_text("utf-8").split()) for name in COUNTING_LANGUAGES]

    assert [re.findall(r"(\d+) languages", text) for text in texts] == [[str(count)]] * len(texts)


def test_the_table_of_languages_is_that_of_their_files() -> None:
    rows = []
    for file in sorted((ROOT / "static" / "lang").glob("*.toml")):
        meta = tomllib.loads(file.read_text("utf-8"))["meta"]
        reviewed = meta["reviewed"] or "no"
        rows.append(f"| `{file.stem}` | {meta['english']} | {meta['name']} | {meta['dir']} | {reviewed} |")

    page = (ROOT / "docs" / "look.md").read_text("utf-8")

    assert re.findall(r"^\| `[A-Za-z-]+` \| .* \| (?:ltr|rtl) \| .* \|$", page, re.MULTILINE) == rows


def test_retention_days_in_the_docs_are_those_of_the_settings() -> None:
    page = (DOCS / "officer.md").read_text("utf-8")
    config = Config()
    days = {
        "stats.hit_days": config.stats.hit_days,
        "log.keep_days": config.log.keep_days,
        "vault.keep_days": config.vault.keep_days,
        "mail.keep_days": config.mail.keep_days,
        "rights.export_days": config.rights.export_days,
        "staff.journal_days": config.staff.journal_days,
    }

    for setting, count in days.items():
        (row,) = [line for line in page.splitlines() if line.endswith(f"| `{setting}` |")]
        assert f"| {count} days" in row, row
    (session,) = [line for line in page.splitlines() if line.startswith("| `__Host-cg_session` |")]
    assert f"ends after {config.identity.idle_days} days without use" in session
    said = " ".join((DOCS / "cookies.md").read_text("utf-8").split())
    assert (
        f"{config.identity.idle_days} days without use and after {config.identity.absolute_days} days" in said
    )
    for cookie in (
        config.cookies.consent,
        config.cookies.session,
        config.cookies.cart,
        config.cookies.remember,
    ):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{cookie.name}` |")]
        assert f"| {cookie.max_age // 86_400} days" in row, row
