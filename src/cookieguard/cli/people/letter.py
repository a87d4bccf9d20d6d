"""`cookieguard letter`: shows the weekly letter about the shop's duties, or mails it to the configured addresses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    read_keyring,
    shop_config,
    store_answers,
)
from cookieguard.cli.output import WRONG, show_answer
from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.letter import write_letter
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.sending import send_to
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory


def letter(
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Show the letter, and send nothing.")] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send this week's letter to each address in `staff.letter`, once. Exit code 1 if one of them did not get it."""
    shop, now = shop_config(config), datetime.now(UTC)
    ring = read_keyring(shop, keyring)
    if not preview:
        require_recipients(shop, "staff.letter", shop.staff.letter)
    written = write_letter(shop, ring, now)
    if preview:
        parts = [{"title": part.title, "lines": part.lines, "due": part.is_due} for part in written.parts]
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


WEEKS_KEPT = 8  # weeks after which the outbox deletes the record of a mailing


def require_recipients(shop: Config, setting: str, addresses: Sequence[str]) -> None:
    """Require recipients and a sender; raises ConfigError."""
    if not addresses:
        raise ConfigError(setting, was="empty", allowed="the addresses that get it; or use --preview")
    if not shop.mail.sender:
        raise ConfigError("mail.sender", was="empty", allowed="'Shop <privacy@shop.example>'")


def send_weekly(
    kind: str,
    shop: Config,
    ring: Keyring,
    *,
    addresses: Sequence[str],
    subject: str,
    lines: Sequence[str],
    now: datetime,
    as_json: bool,
) -> None:
    """Send this week's mail of a kind and show how many were sent. Exit with code 1 if an address did not get it."""
    state = StateDirectory(shop.state_dir)
    with store_answers(), closing(outbox_opener(shop.store, state.path, environ=os.environ)()) as outbox:
        sent = send_to(
            outbox,
            _run_of(kind, now),
            addresses,
            config=shop,
            recipients=Recipients(ring),
            subject=subject,
            lines=lines,
            language="en",
            now=now,
            environ=os.environ,
        )
        run = asyncio.run(sent)
        outbox.forget(_run_of(kind, now - timedelta(weeks=WEEKS_KEPT)))
    facts = {"done": "sent", "sent": run.sent, "total": run.total, "refused": run.refused}
    show_answer(facts, f"{run.sent} of {run.total} {kind}s sent for this week", as_json=as_json)
    if run.sent < run.total:
        raise typer.Exit(WRONG)


def _run_of(kind: str, now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"{kind}-{year}-{week:02}"
