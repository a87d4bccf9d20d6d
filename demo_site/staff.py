"""Members of each role for people who try the demo, and links that sign them in for as long as it runs."""

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
LIFE = timedelta(days=7)
AGAIN_SECONDS = 2.0
"""A link signs in once. The demo puts a used one back, so that a stranger can click the same link again."""


def demo_tokens(state_dir: Path, *, now: datetime) -> dict[str, str]:
    """Put a member of each role on the list, in place of those before, and return the tokens by role."""
    keyring = find_keyring(state_dir.absolute(), KeySettings(), environ={})
    codec = staff_codec(keyring)
    return {one.role: write_token(codec, one) for one in demo_members(state_dir, now=now)}


def demo_members(state_dir: Path, *, now: datetime) -> list[Member]:
    """Put a member of each role on the list, in place of those before, and return them."""
    made = now.replace(microsecond=0)
    members = [
        Member(id=secrets.token_hex(6), name=NAME + role, role=role, made=made, expires=made + LIFE)
        for role in reversed(ROLES)
    ]
    ours = {one.name for one in members}
    change_staff(
        state_dir,
        lambda before: (
            {one.id: one for one in before.values() if one.name not in ours}
            | {one.id: one for one in members}
        ),
    )
    return members


async def keep_links(config: Config, links: Mapping[str, Member]) -> None:
    """Keep the links, by their secrets, until this is cancelled."""
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
