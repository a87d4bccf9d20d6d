"""Staff tokens for whoever tries the demo: made anew with each start, so that none lies around."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cookieguard.config import KeySettings
from cookieguard.features.people.staff_list import change_staff
from cookieguard.identity.staff_token import ROLES, Member, staff_codec, write_token
from cookieguard.storage.keyring_source import find_keyring

NAME = "Demo "


def demo_tokens(state_dir: Path, *, now: datetime) -> dict[str, str]:
    """Put a member of each role on the list, in place of those before, and return the tokens by role."""
    keyring = find_keyring(state_dir.absolute(), KeySettings(), environ={})
    made = now.replace(microsecond=0)
    members = [
        Member(
            id=secrets.token_hex(6), name=NAME + role, role=role, made=made, expires=made + timedelta(days=1)
        )
        for role in ROLES
    ]
    ours = {one.name for one in members}
    change_staff(
        state_dir,
        lambda before: (
            {one.id: one for one in before.values() if one.name not in ours}
            | {one.id: one for one in members}
        ),
    )
    codec = staff_codec(keyring)
    return {one.role: write_token(codec, one) for one in members}
