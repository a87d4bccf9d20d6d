"""What holds for all tests: how hypothesis draws, no deadline of its own, time to end, where short-lived keys lie."""

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

# A table of all characters takes it 1.5 s of CPU to make. In a fresh checkout each process of `make test` made one.
set_hypothesis_home_dir(os.path.join(sys.prefix, "hypothesis"))
# `make test` draws the same examples every time; `make test-all` others.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("other", deadline=None, max_examples=25)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shop that ends gives its writers 5 s. Beside 30 other processes one took longer, and its last hits were missing.
pipeline.CLOSE_WITHIN = timedelta(seconds=60)
middleware.CLOSE_SECONDS = 60.0
# Nor is a store down there that takes three seconds for a commit: a choice would be pending, a customer a guest.
store_wait.TIMEOUT *= 3

# Collecting tests only adds: looking for garbage among 10,000 of them again and again is a third of its time.
gc.disable()

SHARED_MEMORY = runtime_directory.SHARED_MEMORY
ROOM = 4 << 30  # a run of `make test` writes a twentieth of it
MEMORY_OF_FILE = "SHOP_SHARED_MEMORY"
NUMBERS = count()
TESTS = Path(__file__).parent
SERVERS = TESTS / "servers"
# A file stays on one worker: those that take longest begin first, that none is alone at the end.
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
    """Have what tests write in memory, where there is room for it and TMPDIR says nothing else.

    Each commit of a store waits for a disk, for milliseconds, and tests make thousands. Workers inherit TMPDIR.
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
    """Look for garbage among what tests make, and never again among the tests."""
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
    """Keep the keys of the tests' shops apart, and remove them: each shop that starts looks through all there are."""
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
    """Give each file a directory of its own, and tell the shops of tests/servers, which run in processes, of it."""
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
    """Give each test one too, in the directory of its file: the hundredth shop of a file looked through 99 others.

    In tests/servers one shop serves all tests of a file, which look for its keys.
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
