"""The open requests with their deadlines, as findings for the doctor, the weekly letter and the Due page."""

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
MOST = 10  # requests with a line of their own; the list has the others
LIST = "cookieguard requests list"
BRING_BACK = "restore the keyring that has their key"
TASKS = {
    Standing.PROOF: "Find out who sent the {}",
    Standing.APPROVAL: "Approve the {}",
    Standing.COOKIEGUARD: "Check on the {}",
    Standing.UNSENT: "Send the answer to the {}",
}
"""The next task of staff in each standing; in all others it is to answer the request."""
START_OVER = f"{BRING_BACK}; if it is lost for good, {{away}} and ask the people to send their requests again"


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
    except ConfigError:  # the doctor's check of the keys reports it
        return
    except SealBroken:
        away = f"move {file} away" if file is not None else "drop the tables cookieguard_rights*"
        yield Finding(CHECK, "no key in the keyring opens the queue", START_OVER.format(away=away))
        return
    if unreadable:
        yield Finding(CHECK, f"{some_of(unreadable)} cannot be read, and the deadline still runs", BRING_BACK)
    answer = f"answer it at {config.prefix}requests?id={{}}; all of them: {LIST}"
    yield from (_request(row, answer.format(row.id)) for row in pending[:MOST])
    if len(pending) > MOST:
        count, most_urgent = len(pending) - MOST, _request(pending[MOST], "answer these as well")
        text, task = f"{count} more are open; see: {LIST}", f"Answer {count} more requests"
        yield most_urgent._replace(found=text, task=task, page=PAGE)


def _request(row: Pending, answer: str) -> Finding:
    days = abs(row.days_left)
    text = (
        f"{NAMES[row.kind]} of {row.received:%-d %B %Y}, {days} {'day' if days == 1 else 'days'} "
        f"{'late' if row.days_left < 0 else 'left'}, due on {row.due:%-d %B}"
    )
    text += f"; {row.told}" + (f"; {row.trouble}" if row.trouble else "")
    mend = answer if row.days_left < 0 else ""
    advice = answer if not mend and (row.days_left <= SOON or row.trouble) else ""
    page, task = f"{PAGE}?id={row.id}", TASKS.get(row.standing, "Answer the {}").format(NAMES[row.kind])
    return Finding(CHECK, text, mend, advice, day=row.due, role="support", task=task, page=page)
