"""Statistics in a SQLite file, for the tests of this engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "stats.db"


@pytest.fixture
def engine(path: Path) -> Iterator[SqliteHits]:
    """Open it to write to."""
    engine = SqliteHits(path)
    yield engine
    engine.close()
