"""The same vectors in another engine, with a control of its own.

`make test-abroad` goes all ways in every state, with script and without; a file run alone an eighth of them,
undecided and accepted. A file an engine: each has a process of its own. An engine that cannot be had fails one
test, which says what is missing.
"""

from __future__ import annotations

import pytest

from .abroad import ENGINES
from .chosen import GRANTING, HOLDING, cases
from .conftest import Runs, tells
from .differences import (
    SILENT,
    SILENT_WITHOUT_SCRIPT,
    UNSTEADY,
    is_silent,
    leaks_of,
)
from .recorder import Heard
from .vector import Vector
from .vectors import every
from .visits import UNGUARDED

# Engines on errands of their own.
ERRANDS = ("mozilla.org", "mozilla.com", "mozilla.net", "googleapis.com")
ICON = "/favicon.ico"  # asked for where a navigation stays long enough: no page names it
# WebKit runs in dev mode (it keeps no Secure cookie on loopback): a base that a script makes leads the panel astray.
PANEL = "/_cg/dev.js"


def parametrize(metafunc: pytest.Metafunc, engine: str) -> None:
    """Give a test each (vector, engine, script, state) that it is about."""
    names = metafunc.fixturenames
    if "engine" not in names:
        return
    if "vector" in names:
        is_holding = metafunc.function is test_nobody_hears_of_a_visitor_who_did_not_agree
        metafunc.parametrize(
            ("vector", "engine", "state", "script"),
            [
                pytest.param(
                    vector, engine, state, script, id=_name(engine, state, vector.name, script=script)
                )
                for state in (HOLDING if is_holding else (GRANTING,))
                for vector, script in cases(state, engine)
            ],
        )
        return
    metafunc.parametrize("engine", [engine])
    if "state" in names:
        metafunc.parametrize("state", [HOLDING[0], GRANTING])


def _name(engine: str, state: str, way: str, *, script: bool) -> str:
    return f"{engine}-{state}-{way}-{'script' if script else 'plain'}"


def test_the_engine_and_a_world_for_it_are_there(engine: str) -> None:
    lacks = ENGINES[engine].missing()

    assert not lacks, f"{lacks}: nothing here was tried in it"


@pytest.fixture
def there(engine: str) -> None:
    """Leave it to the one test above to say that an engine is missing."""
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is missing")


def control_of(runs: Runs, vector: Vector, engine: str, *, script: bool) -> Heard:
    """Return what the host heard unguarded, which must be what the tables say."""
    control = runs.get(UNGUARDED, script=script, engine=engine)
    heard = control.heard[vector.name]

    assert control.served[vector.name] == UNGUARDED
    if is_silent(engine, vector.name, script=script):
        assert vector.tells not in heard.kinds, f"{engine} goes this way by now: {heard.figure}"
    else:
        assert tells(vector, heard, engine=engine, script=script), heard.figure
    return heard


@pytest.mark.usefixtures("there")
def test_nobody_hears_of_a_visitor_who_did_not_agree(
    runs: Runs, vector: Vector, engine: str, script: bool, state: str
) -> None:
    control_of(runs, vector, engine, script=script)
    run = runs.get(state, script=script, engine=engine)
    heard = run.heard[vector.name]

    assert run.served[vector.name] == state
    assert heard.kinds <= leaks_of(vector, engine), f"{heard.figure} {[*heard.requests]}"


@pytest.mark.usefixtures("there")
def test_after_accepting_each_host_hears_what_it_hears_unguarded(
    runs: Runs, vector: Vector, engine: str, script: bool, state: str
) -> None:
    control = control_of(runs, vector, engine, script=script)
    run = runs.get(state, script=script, engine=engine)
    heard = run.heard[vector.name]

    assert run.served[vector.name] == state
    if vector.name in UNSTEADY.get(engine, ()):
        return
    if vector.lost:
        assert asked(heard) < asked(control)
        return
    if asked(heard) != asked(control) or vector.tells not in heard.kinds:
        heard = runs.again(vector, state, script=script, engine=engine)
    assert asked(heard) == asked(control)
    assert vector.tells in heard.kinds


def asked(heard: Heard) -> set[str]:
    """Return the requests that a page made."""
    return {request for request in heard.requests if not request.endswith((ICON, PANEL))}


@pytest.mark.usefixtures("there")
def test_no_host_is_asked_for_that_no_page_names(runs: Runs, engine: str, state: str) -> None:
    strays = runs.get(state, script=True, engine=engine).strays

    assert not {one for one in strays if not any(own in one for own in ERRANDS)}


def test_the_tables_name_ways_that_there_are() -> None:
    names = {vector.name for vector in every()}
    tables = [*SILENT.values(), *SILENT_WITHOUT_SCRIPT.values()]

    assert {name for reasons in tables for ways in reasons.values() for name in ways.split()} <= names
    assert {name for ways in UNSTEADY.values() for name in ways} <= names
