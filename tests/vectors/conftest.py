"""The runs that this folder's tests check: each visits only the pages of the selected tests, once."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness.browser import chromium_path

from . import abroad, visits
from .cached import CACHES
from .chosen import left_out
from .differences import UNSTEADY, goes
from .recorder import Heard
from .vector import Vector
from .visits import UNGUARDED, Run

CHROMIUM = "chromium"
OTHER_ENGINES = ("test_firefox.py", "test_webkit.py", "test_cached.py")
# On a busy machine a page may not finish; a page without contacts is visited again.
VISITS = 3
SECONDS = 900  # the first test that needs a run waits for it
ABROAD_SECONDS = 2400  # and there, longer: eight windows, one page after the other, control and all
Key = tuple[str, str, bool]  # engine, state of consent, with script
Wanted = dict[Key, dict[str, Vector]]

wanted_key = pytest.StashKey[Wanted]()
runs_key = pytest.StashKey["Runs"]()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the collection of an engine's thousands of tests if none of them would run."""
    is_left_out = collection_path.name in OTHER_ENGINES and config.option.markexpr == "not slow"
    return is_left_out or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder that needs a run, because the first of them waits for it."""
    for item in items:
        if _is_here(item) and "runs" in getattr(item, "fixturenames", ()):
            is_abroad = _params(item).get("engine", CHROMIUM) != CHROMIUM
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(ABROAD_SECONDS if is_abroad else SECONDS))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Record the pages that the selected tests need; each has its control."""
    wanted: Wanted = defaultdict(dict)
    for item in session.items:
        page = _page(item)
        if page:
            vector, engine, state, script = page
            wanted[engine, state, script][vector.name] = vector
            wanted[engine, UNGUARDED, script][vector.name] = vector
    session.config.stash[wanted_key] = wanted


def _is_here(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _params(item: pytest.Item) -> dict[str, Any]:
    return getattr(getattr(item, "callspec", None), "params", {})


def _page(item: pytest.Item) -> tuple[Vector, str, str, bool] | None:
    """Return the page that a test needs, and how it is visited."""
    params = _params(item)
    if "vector" not in params or not _is_here(item):
        return None
    return params["vector"], params.get("engine", CHROMIUM), params.get("state", UNGUARDED), params["script"]


@dataclass
class Runs:
    """Makes each run when it is first needed. Owns the runs."""

    wanted: Wanted
    folder: Path
    done: dict[Key, Run] = field(default_factory=dict)

    def get(self, state: str, *, script: bool, engine: str = CHROMIUM) -> Run:
        """Return the run in a state of consent."""
        key = (engine, state, script)
        if key not in self.done:
            with ThreadPoolExecutor(1) as thread:  # this one may have the event loop of another browser
                self.done[key] = thread.submit(self._run, key).result()
        return self.done[key]

    def _run(self, key: Key) -> Run:
        engine, state, script = key
        vectors = list(self.wanted[key].values())
        whole = self._visit(vectors, key)
        if state != UNGUARDED:
            return whole
        for _ in range(1, VISITS):
            silent = [
                one for one in vectors if not tells(one, whole.heard[one.name], engine=engine, script=script)
            ]
            if not silent:
                break
            whole.heard.update(self._visit(silent, key).heard)
        return whole

    def again(self, vector: Vector, state: str, *, script: bool, engine: str = CHROMIUM) -> Heard:
        """Visit one page once more if contacts were missing."""
        with ThreadPoolExecutor(1) as thread:
            visit = thread.submit(self._visit, [vector], (engine, state, script))
            return visit.result().heard[vector.name]

    def _visit(self, vectors: list[Vector], key: Key) -> Run:
        engine, state, script = key
        folder = self.folder / f"{engine}-{state}-{script}-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        if engine in (CHROMIUM, *CACHES):
            cache = engine if engine in CACHES else ""
            return visits.run(
                vectors, state, script=script, chromium=chromium_path(), folder=folder, cache=cache
            )
        return abroad.run(vectors, state, script=script, engine=engine, folder=folder)


def tells(vector: Vector, heard: Heard, *, script: bool, engine: str = CHROMIUM) -> bool:
    """Return whether a control shows what it must show; Chromium is the browser behind a cache."""
    engine = CHROMIUM if engine in CACHES else engine
    is_asked = goes(vector, engine, script=script) and vector.name not in UNSTEADY.get(engine, ())
    return not is_asked or vector.tells in heard.kinds


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Give all runs; each is made when a test first needs it."""
    config = request.config
    made = Runs(config.stash[wanted_key], tmp_path_factory.mktemp("vectors"))
    config.stash[runs_key] = made
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the contacts of every run, with those of its control."""
    runs = terminalreporter.config.stash.get(runs_key, None)
    if runs is None:
        return
    terminalreporter.section("vectors")
    for (engine, state, script), one in runs.done.items():
        terminalreporter.write_line(
            f"{engine:8} {state:10} {'with' if script else 'no'} script: {_figures(one)}"
        )
    for engine in sorted({engine for engine, *_ in runs.done} - {CHROMIUM, *CACHES}):
        for line in left_out(engine):
            terminalreporter.write_line(line)


def _figures(one: Run) -> str:
    heard = list(one.heard.values())
    telling = sum(bool(host.kinds) for host in heard)
    return (
        f"{telling} of {len(heard)} pages told somebody: "
        + (f"{len(one.kept)} from the cache, " if one.kept else "")
        + f"{sum(host.requests.total() for host in heard)} requests, "
        f"{sum(host.connections for host in heard)} connections, "
        f"{sum(host.lookups for host in heard)} look-ups, "
        f"{sum(host.datagrams for host in heard)} datagrams"
    )
