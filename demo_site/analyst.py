"""A staff token for whoever tries the demo: made anew with each start, so that none lies around."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cookieguard.engines.files.keyring_file import read_keyring
from cookieguard.engines.files.keyring_source import KEYRING_FILE
from cookieguard.engines.files.staff_list import change_staff
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring

NAME = "Demo analyst"


def demo_token(state_dir: Path, *, now: datetime) -> str:
    """Put the demo's analyst on the list, in place of the one before, and return the token."""
    text, _ = read_keyring(state_dir / KEYRING_FILE, "the demo's keyring")
    made = now.replace(microsecond=0)
    member = Member(
        id=secrets.token_hex(6), name=NAME, role="analyst", made=made, expires=made + timedelta(days=1)
    )
    change_staff(
        state_dir,
        lambda before: {one.id: one for one in before.values() if one.name != NAME} | {member.id: member},
    )
    return write_token(staff_codec(Keyring.loads(text, setting="the demo's keyring")), member)
