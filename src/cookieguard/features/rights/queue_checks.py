"""What is open in the queue of requests, for doctor and letter, and what doctor says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.rights.requests import Pending, requests_file, requests_opener
from cookieguard.features.rights.sealing import SealBroken
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

Told = tuple[str, str, str]
"""Check, what was found, what mends it."""
BRING_BACK = "restore the keyring that has their key"
BEGIN_ANEW = f"{BRING_BACK}; if it is lost for good, {{away}} and ask the people to send their requests again"
ANSWER = "answer them, the most urgent first; see: cookieguard requests list"


def open_requests(
    config: Config,
    directory: StateDirectory,
    keyring: Callable[[], Keyring],
    now: datetime,
    *,
    environ: Mapping[str, str],
) -> tuple[list[Pending], list[str]] | None:
    """Return what is open, and the ids of what cannot be read; None before the first request."""
    file = requests_file(config, directory, environ=environ)
    if file is not None and not file.exists():
        return None
    with closing(requests_opener(config, keyring(), directory, environ=environ)()) as queue:
        return queue.survey(now)


def examine_requests(
    config: Config, state: Path, keyring: Callable[[], Keyring], now: datetime, *, environ: Mapping[str, str]
) -> Iterator[Told]:
    """Yield what the queue is like; nothing where there is none, or no keyring. Raises QueueDown."""
    if not (config.rights.enabled and config.store.enabled and state.is_dir()):
        return
    directory = StateDirectory(state)
    try:
        found = open_requests(config, directory, keyring, now, environ=environ)
    except ConfigError:  # the keys' own line says so
        return
    except SealBroken:
        file = requests_file(config, directory, environ=environ)
        away = f"move {file} away" if file is not None else "drop the tables cookieguard_rights*"
        yield "requests", "no key in the keyring opens the queue", BEGIN_ANEW.format(away=away)
        return
    if found is None:
        return
    pending, unreadable = found
    late = [one for one in pending if one.days_left < 0]
    if late:
        told = f"{len(late)} of {len(pending)} are late, the first was due on {late[0].due}"
        yield "requests", told, ANSWER
    if unreadable:
        yield "requests", f"{len(unreadable)} cannot be read: {', '.join(unreadable[:3])}", BRING_BACK
    elif not late:
        yield "requests", f"{len(pending)} open; all can be read", ""
