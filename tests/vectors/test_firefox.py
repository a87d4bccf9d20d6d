"""The vectors in Firefox."""

from __future__ import annotations

import pytest

from .engines import (
    parametrize,
    test_after_accepting_each_host_hears_what_it_hears_unguarded,
    test_no_host_is_asked_for_that_no_page_names,
    test_nobody_hears_of_a_visitor_who_did_not_agree,
    test_the_engine_and_a_world_for_it_are_there,
    test_the_tables_name_ways_that_there_are,
    there,
)

__all__ = [
    "test_after_accepting_each_host_hears_what_it_hears_unguarded",
    "test_no_host_is_asked_for_that_no_page_names",
    "test_nobody_hears_of_a_visitor_who_did_not_agree",
    "test_the_engine_and_a_world_for_it_are_there",
    "test_the_tables_name_ways_that_there_are",
    "there",
]

pytestmark = pytest.mark.slow


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of an engine in this one."""
    parametrize(metafunc, "firefox")
