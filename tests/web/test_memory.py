"""Memory is bounded for long pages and for compressed ones that unpack to much more, by the kernel's figures.

One case of each kind runs with `make test`. All of them run in the compiled build alone: the sources are the same
text, and take 15 s of CPU for a page.
"""

from __future__ import annotations

import sys

import pytest
from harness.memory import extra_bytes

from cookieguard.html import scanner

MIB = 1024 * 1024
PAGE_LIMIT, BOMB_LIMIT = 8 * MIB, 32 * MIB
ENDLESS = [f"{kind} without end" for kind in ("tag", "value", "script", "sheet", "comment")]
SLOW = (
    pytest.mark.slow,
    pytest.mark.skipif(scanner() != "compiled", reason="15 s of CPU a page, uncompiled"),
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel's figures are Linux's"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("body", ["page", *(pytest.param(one, marks=SLOW) for one in ["tags", *ENDLESS])])
@pytest.mark.parametrize("job", ["rewriter", pytest.param("app", marks=SLOW)])
def test_a_page_of_48_mib_streams_in_less_than_8(job: str, body: str) -> None:
    assert extra_bytes(job, body) < PAGE_LIMIT


@pytest.mark.parametrize("job", [pytest.param(one, marks=SLOW) for one in ("rewriter, cold", "app, cold")])
def test_so_does_the_first_one_with_all_that_is_kept_for_the_next(job: str) -> None:
    assert extra_bytes(job, "page") < PAGE_LIMIT


@pytest.mark.parametrize(
    ("job", "body"),
    [
        ("gzip", "words"),
        pytest.param("deflate", "value without end", marks=SLOW),
        pytest.param("raw deflate", "words", marks=SLOW),
        *(pytest.param("gzip", one, marks=SLOW) for one in ["page", "tags", *ENDLESS]),
    ],
)
def test_a_bomb_of_200_mib_goes_off_in_less_than_32(job: str, body: str) -> None:
    assert extra_bytes(job, body) < BOMB_LIMIT


def test_the_measure_sees_a_page_that_is_kept() -> None:
    assert extra_bytes("control", "words") > 40 * MIB
