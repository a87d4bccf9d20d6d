"""A staff member for each role, so that users of the demo can try it, and sign-in links that work while it runs."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cookieguard.config import Config, KeySettings
from cookieguard.features.people.sessions import LINKS, digest_of, open_staff_store
from cookieguard.features.people.staff_list import change_staff
from cookieguard.identity.staff_token import ROLES, Member, staff_codec, write_token
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.keyring_source import find_keyring
from cookieguard.storage.store.protocol import StoreDown

NAME = "Demo "
SINCE = timedelta(days=7)  # the access journal has entries of this week
LIFE = timedelta(days=7)
AGAIN_SECONDS = 2.0
"""How often used links are restored: a link signs in once, and users of the demo may click it again."""


def demo_tokens(state_dir: Path, *, now: datetime) -> dict[str, str]:
    """Replace the demo's staff members by new ones, one for each role, and return their tokens by role."""
    keyring = find_keyring(state_dir.absolute(), KeySettings(), environ={})
    codec = staff_codec(keyring)
    return {member.role: write_token(codec, member) for member in demo_members(state_dir, now=now)}


def demo_members(state_dir: Path, *, now: datetime) -> list[Member]:
    """Replace the demo's staff members by new ones, one for each role, and return them."""
    made = now.replace(microsecond=0) - SINCE
    members = [
        Member(id=secrets.token_hex(6), name=NAME + role, role=role, made=made, expires=made + SINCE + LIFE)
        for role in reversed(ROLES)
    ]
    ours = {member.name for member in members}
    change_staff(
        state_dir,
        lambda before: (
            {member.id: member for member in before.values() if member.name not in ours}
            | {member.id: member for member in members}
        ),
    )
    return members


async def keep_links(config: Config, links: Mapping[str, Member]) -> None:
    """Keep the sign-in links valid until this task is cancelled; `links` has a member for each secret."""
    while True:
        with suppress(StoreDown):
            await asyncio.to_thread(_put, config, links)
        await asyncio.sleep(AGAIN_SECONDS)


def _put(config: Config, links: Mapping[str, Member]) -> None:
    state = Path(config.state_dir).absolute()
    keyring = find_keyring(state, config.keys, environ=os.environ)
    until = to_milliseconds(datetime.now(UTC) + LIFE)
    with closing(open_staff_store(config, state, keyring, environ=os.environ)) as store:
        for secret, member in links.items():
            if store.read(LINKS, digest_of(secret)) is None:
                store.write(LINKS, digest_of(secret), member.id.encode(), until=until)
