"""What a goal may be called: a name that stands in the shop's code, not one made of what a visitor is or did."""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.stats.hits import OTHER
from cookieguard.stats.traffic_sources import personal_part

MAX_NAME = 60  # characters
MOST_NAMES = 100  # a worker counts by name; more are made of data, and stand together under (other)
MOST_A_REQUEST = 10
ALLOWED = (
    f"1 to {MAX_NAME} letters, digits, spaces and _ - . , : / & + ' ( ), that name no person and no order"
)

_NAME = re.compile(r"[\w .,:/&+'()-]+")


def fault_of(name: object) -> str:
    """Say what keeps a name from being a goal's; empty where it is one. The name itself is in no answer.

    >>> fault_of("order placed"), fault_of("order 1004217")
    ('', 'a name with a long number')
    """
    if not isinstance(name, str):
        return f"a {type(name).__name__}"
    if not name.strip():
        return "empty"
    if len(name) > MAX_NAME:
        return f"a name of {len(name)} characters"
    if part := personal_part(name):
        return f"a name with {part}"
    return "" if _NAME.fullmatch(name) else "a name with other characters"


class Goals:
    """Own the names of this worker's goals. A name that is none is told once for each fault, or `raises`."""

    def __init__(self, *, raises: bool) -> None:
        self._raises = raises
        self._names: set[str] = set()
        self._told: set[str] = set()

    def named(self, name: object, tell: Callable[[str], None]) -> str:
        """Return what a goal is counted as, empty where its name is none; raises ValueError only if told to."""
        if isinstance(name, str) and name in self._names:
            return name
        if fault := fault_of(name):
            self._complain(f"the name of a goal is {fault}; allowed: {ALLOWED}", tell)
            return ""
        if len(self._names) >= MOST_NAMES:
            self._complain(f"more than {MOST_NAMES} names of goals; further ones count as {OTHER}", tell)
            return OTHER
        found = str(name).strip()
        self._names.add(found)
        return found

    def _complain(self, fault: str, tell: Callable[[str], None]) -> None:
        if self._raises:
            raise ValueError(fault)
        if fault not in self._told and len(self._told) < MOST_NAMES:
            self._told.add(fault)
            tell(fault)
