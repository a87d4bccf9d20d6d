"""Settings of all tests: how hypothesis draws, longer deadlines, where tests write, and a place in memory for keys."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from cookieguard.storage import runtime_directory
from cookieguard.web import middleware
from cookieguard.web.identity import store_wait
from cookieguard.web.recording import pipeline

pytest_plugins = ["harness.shops"]

# hypothesis takes 1.5 s of CPU to make its table of all characters, in each process unless they share a directory.
set_hypothesis_home_dir(os.path.join(sys.prefix, "hypothesis"))
# `make test` draws the same examples every time; `make test-all` others.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("other", deadline=None, max_examples=25)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shop gives its writers 5 s to end. With 30 other processes one took longer, and its last hits were missing.
pipeline.CLOSE_WITHIN = timedelta(seconds=60)
middleware.CLOSE_SECONDS = 60.0
# On such a machine a commit may take three seconds: the store would count as down, and a customer as a guest.
store_wait.TIMEOUT *= 3

# Collecting 10,000 tests makes no garbage, and searching for it would take a third of the time.
gc.disable()

SHARED_MEMORY = runtime_directory.SHARED_MEMORY
ROOM = 4 << 30  # a run of `make test` writes a twentieth of it
MEMORY_OF_FILE = "SHOP_SHARED_MEMORY"
NUMBERS = count()
TESTS = Path(__file__).parent
SERVERS = TESTS / "servers"
# Each file runs on one worker, so the longest ones begin first; otherwise one would run alone at the end.
FIRST = (
    "tests/vectors/test_firefox.py",
    "tests/vectors/test_webkit.py",
    "tests/vectors/test_vectors.py",
    "tests/browser/test_before_and_after.py",
    "tests/servers/test_rotation_under_load.py",
    "tests/servers/test_faults.py",
    "tests/servers/test_postgres_faults.py",
    "tests/browser/test_swappers.py",
    "tests/servers/",
    "tests/browser/",
)


def write_into_memory() -> None:
    """Have tests write into memory if there is room, and if TMPDIR is not set.

    Each commit of a store waits milliseconds for a disk, and tests make thousands. Workers inherit TMPDIR.
    """
    if "TMPDIR" in os.environ or not SHARED_MEMORY.is_dir():
        return
    memory = os.statvfs(SHARED_MEMORY)
    runs_programs = not memory.f_flag & os.ST_NOEXEC  # tests build some
    if runs_programs and memory.f_bavail * memory.f_frsize >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(SHARED_MEMORY)


write_into_memory()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Collect the garbage of tests from now on, but never search the collected tests themselves."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))


@pytest.fixture(scope="session", autouse=True)
def shared_memory() -> Iterator[Path | None]:
    """Give the tests' shops a place in memory for their keys: a shop that starts reads the keys of all shops."""
    if not SHARED_MEMORY.is_dir():
        yield None
        return
    own = tempfile.TemporaryDirectory(prefix="cg-tests-", dir=SHARED_MEMORY, ignore_cleanup_errors=True)
    with own as root:
        runtime_directory.SHARED_MEMORY = Path(root)
        yield Path(root)
        runtime_directory.SHARED_MEMORY = SHARED_MEMORY


@pytest.fixture(scope="module", autouse=True)
def shared_memory_of_file(
    shared_memory: Path | None, request: pytest.FixtureRequest
) -> Iterator[Path | None]:
    """Give each file a directory of its own, and pass it to the shops of tests/servers, which run in processes."""
    if shared_memory is None:
        yield None
        return
    place = shared_memory / request.path.relative_to(TESTS).as_posix().replace("/", "-")
    place.mkdir(exist_ok=True)
    runtime_directory.SHARED_MEMORY = place
    os.environ[MEMORY_OF_FILE] = str(place)
    yield place
    del os.environ[MEMORY_OF_FILE]
    runtime_directory.SHARED_MEMORY = shared_memory


@pytest.fixture(autouse=True)
def shared_memory_of_test(
    shared_memory_of_file: Path | None, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Give each test one too, in the directory of its file: the hundredth shop of a file read the keys of 99 others.

    In tests/servers, one shop serves all tests of a file, and they look for its keys.
    """
    if shared_memory_of_file is None or SERVERS in request.path.parents:
        yield
        return
    place = shared_memory_of_file / str(next(NUMBERS))
    place.mkdir()
    runtime_directory.SHARED_MEMORY = place
    os.environ[MEMORY_OF_FILE] = str(place)
    yield
    runtime_directory.SHARED_MEMORY = shared_memory_of_file
    os.environ[MEMORY_OF_FILE] = str(shared_memory_of_file)
