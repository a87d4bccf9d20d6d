"""The open requests, each with its deadline: for doctor, letter and the page of what is due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop, some_of
from cookieguard.errors import ConfigError
from cookieguard.features.rights.requests import Pending, requests_file, requests_opener
from cookieguard.features.rights.values.by_staff import Standing
from cookieguard.features.rights.values.plan import NAMES
from cookieguard.storage.sealing import SealBroken
from cookieguard.storage.state_directory import StateDirectory

CHECK = PAGE = "requests"
SOON = 7  # days
MOST = 10  # requests: the list has the others
LIST = "cookieguard requests list"
BRING_BACK = "restore the keyring that has their key"
TASKS = {
    Standing.PROOF: "Find out who sent the {}",
    Standing.APPROVAL: "Approve the {}",
    Standing.COOKIEGUARD: "Check on the {}",
    Standing.UNSENT: "Send the answer to the {}",
}
"""The next step of a request; of all others it is to answer it."""
BEGIN_ANEW = f"{BRING_BACK}; if it is lost for good, {{away}} and ask the people to send their requests again"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield the most urgent requests, and those that cannot be read; nothing without a keyring. Raises QueueDown."""
    config, environ = shop.config, shop.environ
    if not (config.store.enabled and shop.state.is_dir()):
        return
    directory = StateDirectory(shop.state)
    file = requests_file(config, directory, environ=environ)
    if not config.rights.enabled if file is None else not file.exists():
        return
    try:
        with closing(requests_opener(config, shop.keyring, directory, environ=environ)()) as queue:
            pending, unreadable = queue.survey(shop.now)
    except ConfigError:  # the keys' own line says so
        return
    except SealBroken:
        away = f"move {file} away" if file is not None else "drop the tables cookieguard_rights*"
        yield Finding(CHECK, "no key in the keyring opens the queue", BEGIN_ANEW.format(away=away))
        return
    if unreadable:
        yield Finding(CHECK, f"{some_of(unreadable)} cannot be read, and the deadline still runs", BRING_BACK)
    answer = f"answer it at {config.prefix}requests?id={{}}; all of them: {LIST}"
    yield from (_request(one, answer.format(one.id)) for one in pending[:MOST])
    if len(pending) > MOST:
        count, most_urgent = len(pending) - MOST, _request(pending[MOST], "answer these as well")
        told, task = f"{count} more are open; see: {LIST}", f"Answer {count} more requests"
        yield most_urgent._replace(found=told, task=task, page=PAGE)


def _request(one: Pending, answer: str) -> Finding:
    days = abs(one.days_left)
    told = (
        f"{one.id}: {NAMES[one.kind]}, {days} {'day' if days == 1 else 'days'} "
        f"{'late' if one.days_left < 0 else 'left'}, due on {one.due}"
    )
    told += f"; {one.told}" + (f"; {one.trouble}" if one.trouble else "")
    mend = answer if one.days_left < 0 else ""
    advice = answer if not mend and (one.days_left <= SOON or one.trouble) else ""
    page, task = f"{PAGE}?id={one.id}", TASKS.get(one.standing, "Answer the {}").format(NAMES[one.kind])
    return Finding(CHECK, told, mend, advice, day=one.due, role="support", task=task, page=page)
