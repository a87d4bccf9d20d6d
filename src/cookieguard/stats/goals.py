"""Checks the names and values of goals, so that a name comes from the shop's code and not from a visitor's data."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise

from cookieguard.stats.hits import OTHER
from cookieguard.stats.text_cleaning import personal_part

MAX_NAME = 60  # characters
MOST_NAMES = 100  # names counted by a worker; more come from data, and are counted together as (other)
MOST_A_REQUEST = 10
ALLOWED = (
    f"1 to {MAX_NAME} letters, digits, spaces and _ - . , : / & + ' ( ), without naming a person or an order"
)

# The value of a goal is stored only as a range. The exact sum of a single order would stay in the figures for years.
VALUE_SIGN = ": "
_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_FIRST, _LAST = "under 1", "10k and more"
ALLOWED_VALUE = "a number of 0 or more, in the shop's currency"


def _written(bound: int) -> str:
    return f"{bound // 1000}k" if bound >= 1000 else str(bound)


# The value used for each range is its geometric mean, because small orders are more frequent than large ones.
STEP_NAMES: Mapping[str, float] = {
    _FIRST: 0.5,
    **{f"{_written(low)} to {_written(high)}": math.sqrt(low * high) for low, high in pairwise(_BOUNDS)},
    _LAST: _BOUNDS[-1],
}
_ORDER = tuple(STEP_NAMES)


def step_of(value: float) -> str:
    """Return the name of the range that contains a value.

    >>> step_of(89.9), step_of(0), step_of(100), step_of(25_000)
    ('50 to 100', 'under 1', '100 to 200', '10k and more')
    """
    return _ORDER[bisect_right(_BOUNDS, value)]


_NAME = re.compile(r"[\w .,:/&+'()-]+")


def fault_of(name: object) -> str:
    """Return why a goal cannot have this name, or an empty text if it can. The result never contains the name.

    >>> fault_of("order placed"), fault_of("order 1004217")
    ('', 'contains a long number')
    """
    if not isinstance(name, str):
        return f"is a {type(name).__name__}"
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters"
    if part := personal_part(name):
        return f"contains {part}"
    return "" if _NAME.fullmatch(name) else "contains other characters"


class Goals:
    """Hold the names of this worker's goals. Each fault of a name is logged once, or raised if `raises` is set."""

    def __init__(self, *, raises: bool) -> None:
        self._raises = raises
        self._names: set[str] = set()
        self._logged: set[str] = set()

    def named(self, name: object, tell: Callable[[str], None]) -> str:
        """Return the name under which a goal is counted; empty if the name is refused. Raises ValueError if set to."""
        if isinstance(name, str) and name in self._names:
            return name
        if fault := fault_of(name):
            self._complain(f"the name of a goal {fault}; allowed: {ALLOWED}", tell)
            return ""
        if len(self._names) >= MOST_NAMES:
            self._complain(
                f"more than {MOST_NAMES} names of goals were used; further goals count as {OTHER}", tell
            )
            return OTHER
        found = str(name).strip()
        self._names.add(found)
        return found

    def valued(self, name: str, value: object, tell: Callable[[str], None]) -> str:
        """Return the second name under which a goal of this value is counted; empty if the value is refused."""
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        if is_number and math.isfinite(number := float(value)) and number >= 0:  # type: ignore[arg-type]
            return f"{name}{VALUE_SIGN}{step_of(number)}"
        self._complain(f"the value of a goal is not usable; allowed: {ALLOWED_VALUE}", tell)
        return ""

    def _complain(self, fault: str, tell: Callable[[str], None]) -> None:
        if self._raises:
            raise ValueError(fault)
        if fault not in self._logged and len(self._logged) < MOST_NAMES:
            self._logged.add(fault)
            tell(fault)
