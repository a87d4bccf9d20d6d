"""Each way of contacting a third party, before and after consent; the same page unguarded is the control.

`make test` takes an eighth that `VECTOR_SEED` chooses: undecided with script and without, accepted with script where it
works with script. `make test-all` takes the eighth of the day, accepted without script and agreed to in part too;
`make test-abroad` every way in every state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.quick import IS_WHOLE

from .chosen import CHOSEN, is_first
from .conftest import CHROMIUM, Runs, tells
from .differences import UNSTEADY, goes
from .recorder import Heard
from .vector import PURPOSES, Vector
from .vectors import domain_of, every
from .visits import UNGUARDED

# Who refused is held what who was not asked is, and partly: see tests/browser/test_before_and_after.py.
QUICK_STATES = frozenset({"undecided"})
# A page that was agreed to is the same with script and without, its policy too.
QUICK_ONCE = frozenset({"all"})
STATES = {
    "test_nobody_hears_of_a_visitor_who_did_not_agree": ("undecided", "refused", "partly"),
    "test_after_accepting_each_host_hears_what_it_hears_unguarded": ("all",),
}
SILENT = (
    "Where the page is right, this engine does not go that way: say so in differences.py. A way that no engine goes "
    "any more is no vector: tests/html/test_rewriter.py alone holds it."
)
ENGINES_OWN = ("google.com/", "googleapis.com/", "gstatic.com/", "gvt1.com/")  # Chromium's own errands


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test each way that tells anybody as (vector, state, script).

    The slow ones are not even made where all of them would be left out: each worker would for 2 s.
    """
    states = STATES.get(metafunc.function.__name__, ())
    if states:
        has_slow = metafunc.config.option.markexpr != "not slow"
        metafunc.parametrize(("vector", "state", "script"), list(_cases(states, has_slow=has_slow)))


def _cases(states: Iterable[str], *, has_slow: bool) -> Iterator[Any]:
    for state in states:
        for vector in every():
            is_chosen = vector.name in CHOSEN
            for script in (True, False):
                is_once = is_chosen and is_first(vector, script=script)
                is_quick = (is_chosen and state in QUICK_STATES) or (is_once and state in QUICK_ONCE)
                is_daily = (is_chosen and state in QUICK_ONCE) or (is_once and state == "partly")
                is_viewed = is_quick or (has_slow and (is_daily or IS_WHOLE))
                if not (is_viewed and goes(vector, CHROMIUM, script=script)):
                    continue
                marks = [] if is_quick else [pytest.mark.slow]
                name = f"{state}-{vector.name}-{'script' if script else 'plain'}"
                yield pytest.param(vector, state, script, id=name, marks=marks)


def is_granted(vector: Vector, state: str) -> bool:
    """Return whether a visitor in this state agreed to the vector's host."""
    if state == "partly":
        return vector.is_declared and PURPOSES.get(domain_of(vector)) == "statistics"
    return state == "all"


def control_of(runs: Runs, vector: Vector, *, script: bool) -> Heard:
    """Return what the host heard unguarded, which must be what the vector says."""
    control = runs.get(UNGUARDED, script=script)

    assert control.served[vector.name] == UNGUARDED
    heard = control.heard[vector.name].figure
    assert tells(vector, control.heard[vector.name], script=script), f"unguarded: {heard}. {SILENT}"
    return control.heard[vector.name]


def test_nobody_hears_of_a_visitor_who_did_not_agree(
    runs: Runs, vector: Vector, state: str, script: bool
) -> None:
    if is_granted(vector, state):
        _assert_same(runs, vector, state, script=script)
        return
    control_of(runs, vector, script=script)
    run = runs.get(state, script=script)
    heard = run.heard[vector.name]

    assert run.served[vector.name] == state
    assert heard.kinds <= vector.leaks, f"{heard.figure} {[*heard.requests]}"


def test_after_accepting_each_host_hears_what_it_hears_unguarded(
    runs: Runs, vector: Vector, state: str, script: bool
) -> None:
    _assert_same(runs, vector, state, script=script)


def _assert_same(runs: Runs, vector: Vector, state: str, *, script: bool) -> None:
    control = control_of(runs, vector, script=script)
    run = runs.get(state, script=script)
    heard = run.heard[vector.name]

    assert run.served[vector.name] == state
    if vector.lost or (vector.lost_partly and state != "all"):
        assert set(heard.requests) < set(control.requests) or not heard.requests
        return
    if set(heard.requests) != set(control.requests) or vector.tells not in heard.kinds:
        heard = runs.again(vector, state, script=script)
    assert set(heard.requests) == set(control.requests)
    assert vector.tells in heard.kinds


@pytest.mark.parametrize("state", ["undecided", "all"])
def test_no_host_is_asked_for_that_no_page_names(runs: Runs, state: str) -> None:
    strays = runs.get(state, script=True).strays

    assert not {one for one in strays if not any(own in one for own in ENGINES_OWN)}


def test_there_are_enough_ways_and_each_has_its_own_host() -> None:
    names = [vector.name for vector in every()]

    assert len(names) == len(set(names))
    assert sum(vector.script != "on" for vector in every()) >= 120
    assert sum(vector.name.startswith("js-") for vector in every()) >= 120


def test_as_many_ways_are_named_as_there_are() -> None:
    root = Path(__file__).parents[2]
    security, limits = (
        " ".join(root.joinpath(name).read_text().split()) for name in ("SECURITY.md", "docs/limits.md")
    )
    with_script = [vector for vector in every() if vector.script != "off"]

    assert f"`tests/vectors/` ({len(every())} ways" in security
    firefox = [vector for vector in with_script if goes(vector, "firefox", script=True)]
    webkit = [
        vector
        for vector in with_script
        if goes(vector, "webkit", script=True) and vector.name not in UNSTEADY["webkit"]
    ]
    assert (
        f"Of {len(with_script)} pages opened with script, {len(firefox)} contact a third party in Firefox "
        f"153 and {len(webkit)} in WebKitGTK" in limits
    )


def test_every_known_leak_of_a_vector_has_a_reason() -> None:
    for vector in every():
        assert bool(vector.leaks) == bool(vector.why), vector.name
