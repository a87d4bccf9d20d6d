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
from cookieguard.cli.output import show_answer
from cookieguard.cli.people.weekly_mail import require_recipients, send_weekly
from cookieguard.features.letter import write_letter


def letter(
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Show the letter, and send nothing.")] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send this week's letter to each address in `staff.letter`, once. Exit code 1 if one of them did not get it."""
    shop, now = shop_config(config), datetime.now(UTC)
    ring = read_place(keyring_place(shop, keyring))
    if not preview:
        require_recipients(shop, "staff.letter", shop.staff.letter)
    written = write_letter(shop, ring, now)
    if preview:
        parts = [{"title": one.title, "lines": one.lines, "due": one.is_due} for one in written.parts]
        facts = {"subject": written.subject, "parts": parts}
        show_answer(facts, written.subject, "", *written.text, as_json=as_json)
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
