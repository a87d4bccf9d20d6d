"""One sender of notices as a process: `python senders.py OUTBOX FOLDER RELAY KEYRING RUN CONNECTIONS`."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from cookieguard import Config, PolicyVersion
from cookieguard.config import MailSettings
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.relay import relay_of
from cookieguard.features.outbox.sending import Pace, Sender
from cookieguard.features.policy.announcement_run import Notices
from cookieguard.features.policy.folder import read_versions
from cookieguard.keyring import Keyring

SENDER = "privacy@shop.example"
PACE = Pace(timeout=8.0, first=0.05, longest=0.5, idle=0.2)


def shop_of(folder: Path, url: str) -> Config:
    """Return the shop's settings."""
    return Config(
        origins=("https://shop.example",),
        policy=PolicyVersion(folder=str(folder)),
        mail=MailSettings(url=url, sender=f"Shop <{SENDER}>"),
    )


def main(outbox: str, folder: str, relay: str, keyring: str, run: str, connections: str) -> None:
    """Send until the outbox is empty."""
    config = shop_of(Path(folder), relay)
    recipients = Recipients(Keyring.loads(Path(keyring).read_text(), setting="keyring"))
    notices = Notices(config, read_versions(config), recipients, datetime.now(UTC))
    sender = Sender(
        Outbox(outbox), relay_of(config.mail, environ={}), sender=SENDER, build=notices.build, pace=PACE
    )
    asyncio.run(sender.run([run], connections=int(connections), progress=lambda: None))


if __name__ == "__main__":
    main(*sys.argv[1:])
