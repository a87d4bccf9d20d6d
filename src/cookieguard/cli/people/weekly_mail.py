"""What commands mail to the shop's own people: each message to each address once a week, however often cron asks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta

import typer

from cookieguard.cli.options import store_answers
from cookieguard.cli.output import show_answer
from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.outbox.letters import send_to
from cookieguard.features.outbox.open import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

WRONG = 1
WEEKS_KEPT = 8  # after so many the outbox forgets who got what


def require_recipients(shop: Config, setting: str, addresses: Sequence[str]) -> None:
    """Require what a mail needs."""
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
    """Send this week's mail of a kind and say how far that came; exit code 1 where somebody did not get it."""
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
