"""The vectors of a run: `VECTOR_SEED` chooses an eighth, `VECTORS=whole` runs all in every state and engine.

`VECTORS=ping` goes those alone whose names begin so: for who adds one.

To view a page costs a fifth of a second of CPU in Firefox and in WebKit. All pages in each state, with script and
without, are 3,208 views an engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from harness.quick import IS_WHOLE

from .differences import is_silent
from .vector import Vector
from .vectors import begin_with, every, sample

NAMED = "" if IS_WHOLE else os.environ.get("VECTORS", "")
CHOSEN = frozenset(sample(os.environ.get("VECTOR_SEED", "cookieguard")) if not NAMED else begin_with(NAMED))
HOLDING = ("undecided", "refused")
GRANTING = "all"


def is_first(vector: Vector, *, script: bool) -> bool:
    """Return whether a way is viewed so where it is viewed once: with script where it works with script."""
    return script == (vector.script != "off")


def cases(state: str, engine: str) -> Iterator[tuple[Vector, bool]]:
    """List (vector, script) of what another engine views in a state of consent."""
    return (case for case in _all_cases(state, engine) if IS_WHOLE or _is_chosen(*case, state))


def left_out(engine: str) -> Iterator[str]:
    """Return one line for each state with the number of views that this engine's run leaves out."""
    for state in (*HOLDING, GRANTING):
        for script in (True, False):
            number, chosen = (
                sum(case[1] == script for case in some)
                for some in (_all_cases(state, engine), cases(state, engine))
            )
            if chosen < number:
                yield (
                    f"{engine:8} {state:10} {'with' if script else 'no'} script: {number - chosen} of {number} pages "
                    "NOT viewed; make test-abroad views all"
                )


def _all_cases(state: str, engine: str) -> Iterator[tuple[Vector, bool]]:
    """What an engine does not do is viewed too, to hear that it does not; after a choice for all it tells nothing."""
    for script in (True, False):
        for vector in every():
            is_possible = vector.script != ("off" if script else "on")
            if is_possible and (state in HOLDING or not is_silent(engine, vector.name, script=script)):
                yield vector, script


def _is_chosen(vector: Vector, script: bool, state: str) -> bool:
    """An eighth of the ways, undecided and accepted, with script where a way works with script."""
    return state in (HOLDING[0], GRANTING) and vector.name in CHOSEN and is_first(vector, script=script)
