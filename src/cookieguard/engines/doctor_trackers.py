"""What the access log says of trackers on the shop's own hosts: tag managers and pixels that look first party.

The log has paths without their queries, so only paths that name a tracker's own file are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cookieguard.config import Config, load_catalogue
from cookieguard.consent.vendors import Register
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.files.access_log import log_files

# A request that was answered, in the combined form and in JSON.
ANSWERED = re.compile(rb'(?:GET|POST) (/[^ "?]{1,2000}) HTTP/[0-9.]{1,3}"(?: |,"status":)[23]')
FILES = (".js", ".php", ".html")
MOST_BYTES = 1_000_000  # read of the end of each file
MOST_FILES = 8  # the newest
SHOWN = 3
ADVICE = "it is not held, whatever visitors choose; to hold it, declare its path in a [[vendors]] table"


def examine_trackers(config: Config, directory: Path) -> Iterator[Finding]:
    """Yield a finding for each tracker that the shop's own hosts answered for, and that nobody declared by its path."""
    register = Register(purposes=config.purposes, vendors=config.vendors)
    declared = {rule.path for rule in register.rules if rule.path}
    found: dict[str, list[str]] = {}
    for path in sorted(_answered(directory)):
        entry = load_catalogue().by_path(path) if path.endswith(FILES) else None
        if entry is not None and not any(path == one or _is_under(path, one) for one in declared):
            found.setdefault(entry.name, []).append(path)
    for name, paths in found.items():
        yield Finding("own hosts", f"{name} is served at {', '.join(paths[:SHOWN])}", advice=ADVICE)
    if not found:
        yield Finding("own hosts", "the access log shows no tracker of the catalogue on them")


def _answered(directory: Path) -> set[str]:
    """Return the paths that were answered, of the newest files' ends."""
    newest = sorted(log_files(directory), key=lambda one: one[1], reverse=True)[:MOST_FILES]
    names: set[str] = set()
    for path, _ in newest:
        if path.suffix == ".log":  # not what logrotate packed
            names |= {match.decode("ascii", "replace") for match in ANSWERED.findall(_end_of(path))}
    return names


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - MOST_BYTES))
        return file.read(MOST_BYTES)


def _is_under(path: str, declared: str) -> bool:
    return declared.endswith("/") and path.startswith(declared)
