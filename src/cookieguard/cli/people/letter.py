"""`cookieguard letter`: write the weekly letter, show it, or send it to owner and officer, once a week."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    keyring_place,
    read_place,
    shop_config,
)
from cookieguard.cli.output import show_json, show_line
from cookieguard.engines.files.state_directory import StateDirectory
from cookieguard.engines.mail.letters import send_to
from cookieguard.engines.mail.notices import Recipients
from cookieguard.engines.mail.open import outbox_opener
from cookieguard.errors import ConfigError
from cookieguard.web.dashboard.letter import write_letter

WRONG = 1
WEEKS_KEPT = 8  # after so many the outbox forgets who got a letter


def letter(
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Show the letter; send nothing.")] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send this week's letter to `staff.letter`, to each once a week. Exit code 1 where somebody did not get it."""
    shop, now = shop_config(config), datetime.now(UTC)
    ring = read_place(keyring_place(shop, keyring))
    if not (preview or shop.staff.letter):
        raise ConfigError(
            "staff.letter", was="empty", allowed="the addresses of owner and officer; or --preview"
        )
    if not (preview or shop.mail.sender):
        raise ConfigError("mail.sender", was="empty", allowed="'Shop <privacy@shop.example>'")
    written = write_letter(shop, ring, now)
    if preview:
        if as_json:
            parts = [{"title": one.title, "lines": one.lines, "due": one.is_due} for one in written.parts]
            show_json({"subject": written.subject, "parts": parts})
            return
        for line in (written.subject, "", *written.text):
            show_line(line)
        return
    state = StateDirectory(shop.state_dir)
    with closing(outbox_opener(shop.store, state.path, environ=os.environ)()) as outbox:
        sent = send_to(
            outbox,
            _run_of(now),
            shop.staff.letter,
            config=shop,
            recipients=Recipients(ring),
            subject=written.subject,
            lines=written.text,
            language="en",
            now=now,
            environ=os.environ,
        )
        run = asyncio.run(sent)
        outbox.forget(_run_of(now - timedelta(weeks=WEEKS_KEPT)))
    if as_json:
        show_json({"done": "sent", "sent": run.sent, "total": run.total, "refused": run.refused})
    else:
        show_line(f"{run.sent} of {run.total} letters of this week sent")
    if run.sent < run.total:
        raise typer.Exit(WRONG)


def _run_of(now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"letter-{year}-{week:02}"
