"""The same ways in another engine, beside its own control: undecided and accepted, with script and without.

Only in `make test-all`, a file an engine: each has a worker of its own. An engine that cannot be had fails one test,
which says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .abroad import ENGINES
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
        is_silent_too = metafunc.function is test_nobody_hears_of_a_visitor_who_did_not_agree
        metafunc.parametrize("state", ["undecided" if is_silent_too else "all"])
        metafunc.parametrize(
            ("vector", "engine", "script"), list(_cases(engine, is_silent_too=is_silent_too))
        )
        return
    metafunc.parametrize("engine", [engine])
    if "state" in names:
        metafunc.parametrize("state", ["undecided", "all"])


def _cases(engine: str, *, is_silent_too: bool) -> Iterator[Any]:
    """List (vector, engine, script) for each way that an engine goes; the others too, to hear that it does not."""
    for script in (True, False):
        for vector in every():
            if vector.script == ("off" if script else "on"):
                continue
            if is_silent_too or not is_silent(engine, vector.name, script=script):
                name = f"{engine}-{vector.name}-{'script' if script else 'plain'}"
                yield pytest.param(vector, engine, script, id=name)


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
