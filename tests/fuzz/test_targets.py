"""The fuzz targets run over their seeds, and each of their checks can fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import forwarded, rewriter, tokens
from harness.node import MISSING, has_node

CORPUS = Path(__file__).parent / "corpus"
TARGETS = {"forwarded": forwarded, "rewriter": rewriter, "tokens": tokens}
SEEDS = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.parent.name}-{seed.name}")
def test_a_seed_passes(seed: Path) -> None:
    if seed.parent.name == "rewriter" and not has_node():
        pytest.skip(MISSING)

    TARGETS[seed.parent.name].check(seed.read_bytes())


def test_the_seeds_reach_what_the_targets_check() -> None:
    pages = [seed.read_text("utf-8", "replace") for seed in SEEDS if seed.parent.name == "rewriter"]
    bodies = [seed.read_bytes() for seed in SEEDS if seed.parent.name == "tokens"]

    held = [turbo.contacts(page, scripting=False).held for turbo in rewriter.oracles()[:1] for page in pages]

    assert sum(map(bool, held)) > len(pages) / 2
    assert sum(tokens.read(body) is not None for body in bodies) >= 3


def test_every_target_has_seeds() -> None:
    assert {seed.parent.name for seed in SEEDS} == TARGETS.keys()
