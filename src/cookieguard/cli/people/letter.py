"""`cookieguard letter`: write the weekly letter, show it, or send it to owner and officer, once a week."""

from __future__ import annotations

from datetime import UTC, datetime
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
from cookieguard.cli.people.weekly_mail import require_recipients, send_weekly
from cookieguard.web.dashboard.letter import write_letter


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
    if not preview:
        require_recipients(shop, "staff.letter", shop.staff.letter)
    written = write_letter(shop, ring, now)
    if preview:
        if as_json:
            parts = [{"title": one.title, "lines": one.lines, "due": one.is_due} for one in written.parts]
            show_json({"subject": written.subject, "parts": parts})
            return
        for line in (written.subject, "", *written.text):
            show_line(line)
        return
    send_weekly(
        "letter",
        shop,
        ring,
        addresses=shop.staff.letter,
        subject=written.subject,
        lines=written.text,
        now=now,
        as_json=as_json,
    )
