"""The vectors behind nginx and Varnish: Chromium gets pages that another visitor in the same state fetched.

Each 0 has its control: the unguarded shop's pages, out of the same cache. `make test-all` takes the eighth of the day,
with script where a way works with script; `VECTORS=whole` takes all of them, without script too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness.quick import IS_WHOLE

from .cached import CACHES
from .chosen import CHOSEN, NAMED, is_first
from .conftest import CHROMIUM, Runs, tells
from .differences import goes
from .recorder import Heard
from .test_vectors import is_granted
from .vector import Vector
from .vectors import every
from .visits import UNGUARDED

SUCCESS = 200
pytestmark = pytest.mark.slow
# No whole page of status 200 that says it is HTML: docs/caches.md, "Which pages stay private".
PRIVATE = frozenset(
    vector.name
    for vector in every()
    if vector.main.status != SUCCESS or not vector.main.kind.startswith("text/html")
)
STATES = ("undecided", "refused", "partly", "all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test each way as (vector, state, script, engine), the engine being the cache."""
    if "vector" in metafunc.fixturenames:
        cases = [case for engine in CACHES for state in STATES for case in _cases(state, engine)]
        metafunc.parametrize(("vector", "state", "script", "engine"), cases)
    elif "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", [*CACHES])
        metafunc.parametrize("state", [UNGUARDED, *STATES])


def _cases(state: str, engine: str) -> Iterator[Any]:
    for vector in every():
        for script in (True, False):
            is_viewed = IS_WHOLE or (
                vector.name in CHOSEN and (bool(NAMED) or is_first(vector, script=script))
            )
            if is_viewed and goes(vector, CHROMIUM, script=script):
                name = f"{engine}-{state}-{vector.name}-{'script' if script else 'plain'}"
                yield pytest.param(vector, state, script, engine, id=name)


def test_a_cached_page_tells_whom_the_visitor_agreed_to_and_nobody_else(
    runs: Runs, vector: Vector, state: str, script: bool, engine: str
) -> None:
    control = control_of(runs, vector, engine, script=script)
    run = runs.get(state, script=script, engine=engine)
    heard = run.heard[vector.name]

    assert run.served[vector.name] == state
    if not is_granted(vector, state):
        assert heard.kinds <= vector.leaks, f"{heard.figure} {[*heard.requests]}"
        return
    if vector.lost or (vector.lost_partly and state != "all"):
        assert set(heard.requests) < set(control.requests) or not heard.requests
        return
    if set(heard.requests) != set(control.requests) or vector.tells not in heard.kinds:
        heard = runs.again(vector, state, script=script, engine=engine)
    assert set(heard.requests) == set(control.requests)
    assert vector.tells in heard.kinds


def control_of(runs: Runs, vector: Vector, engine: str, *, script: bool) -> Heard:
    """Return what the host heard of the unguarded page out of the same cache."""
    control = runs.get(UNGUARDED, script=script, engine=engine)

    assert control.served[vector.name] == UNGUARDED
    assert tells(vector, control.heard[vector.name], script=script, engine=engine)
    return control.heard[vector.name]


def test_each_page_that_caches_may_keep_came_from_the_cache(runs: Runs, state: str, engine: str) -> None:
    run = runs.get(state, script=True, engine=engine)

    missed = [vector.name for vector in every() if vector.name in run.heard.keys() - run.kept]
    assert [name for name in missed if name not in PRIVATE] == []
    assert len(run.kept) >= len(missed)
