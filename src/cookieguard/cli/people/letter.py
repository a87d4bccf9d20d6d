"""`cookieguard letter`: shows the weekly letter about the shop's duties, or mails it to the configured addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from cookieguard.cli.options import ConfigOption, JsonOption, KeyringOption, open_outbox, shop_of
from cookieguard.cli.output import WRONG, show_answer
from cookieguard.config import Config
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.letter import write_letter
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.sending import send_to


def letter(
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Show the letter, and send nothing.")] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send this week's letter to each address in `staff.letter`, once. Exit code 1 if one of them did not get it."""
    shop = shop_of(config, keyring)
    addresses = shop.config.staff.letter
    if not preview:
        require_recipients(shop.config, "staff.letter", addresses)
    written = write_letter(shop.config, shop.keyring, shop.now)
    if preview:
        parts = [{"title": part.title, "lines": part.lines, "due": part.is_due} for part in written.parts]
        facts = {"subject": written.subject, "parts": parts}
        show_answer(facts, written.subject, "", *written.text, as_json=as_json)
        return
    subject, lines = written.subject, written.text
    send_weekly("letter", shop, addresses=addresses, subject=subject, lines=lines, as_json=as_json)


WEEKS_KEPT = 8  # weeks after which the outbox deletes the record of a mailing


def require_recipients(shop: Config, setting: str, addresses: Sequence[str]) -> None:
    """Require recipients and a sender; raises ConfigError."""
    if not addresses:
        raise ConfigError(setting, was="empty", allowed="the addresses that get it; or use --preview")
    if not shop.mail.sender:
        raise ConfigError("mail.sender", was="empty", allowed="'Shop <privacy@shop.example>'")


def send_weekly(
    kind: str, shop: Shop, *, addresses: Sequence[str], subject: str, lines: Sequence[str], as_json: bool
) -> None:
    """Send this week's mail of a kind and show how many were sent. Exit with code 1 if an address did not get it."""
    now = shop.now
    with open_outbox(shop) as outbox:
        sent = send_to(
            outbox,
            _run_of(kind, now),
            addresses,
            config=shop.config,
            recipients=Recipients(shop.keyring),
            subject=subject,
            lines=lines,
            language="en",
            now=now,
            environ=shop.environ,
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
