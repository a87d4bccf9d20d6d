"""What is open in the queue of requests, for doctor and letter, and what doctor says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime

from cookieguard.config import Config
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.rights.requests import Pending, requests_file, requests_opener
from cookieguard.features.rights.sealing import SealBroken
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

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


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield the state of the queue; nothing where there is no queue or no keyring. Raises QueueDown."""
    config, environ = shop.config, shop.environ
    if not (config.rights.enabled and config.store.enabled and shop.state.is_dir()):
        return
    directory = StateDirectory(shop.state)
    try:
        found = open_requests(config, directory, lambda: shop.keyring, shop.now, environ=environ)
    except ConfigError:  # the keys' own line says so
        return
    except SealBroken:
        file = requests_file(config, directory, environ=environ)
        away = f"move {file} away" if file is not None else "drop the tables cookieguard_rights*"
        yield Finding("requests", "no key in the keyring opens the queue", BEGIN_ANEW.format(away=away))
        return
    if found is None:
        return
    pending, unreadable = found
    late = [one for one in pending if one.days_left < 0]
    if late:
        told = f"{len(late)} of {len(pending)} are late, the first was due on {late[0].due}"
        yield Finding("requests", told, ANSWER)
    if unreadable:
        yield Finding(
            "requests", f"{len(unreadable)} cannot be read: {', '.join(unreadable[:3])}", BRING_BACK
        )
    elif not late:
        yield Finding("requests", f"{len(pending)} open; all can be read")
