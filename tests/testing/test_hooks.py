"""The test suite for hooks passes a complete class, and names what a careless one forgets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cookieguard.rights import Exported, Retained
from cookieguard.testing import check_hooks


class Whole:
    """Keep two tables, and invoices that a law wants."""

    def __init__(self) -> None:
        self.tables = {
            kind: {"1": f"{kind} of 1", "2": f"{kind} of 2"} for kind in ("account", "orders", "invoices")
        }

    async def export(self, customer: str) -> list[Exported]:
        found = [(kind, rows[customer]) for kind, rows in self.tables.items() if customer in rows]
        return [Exported(kind=kind, values={"Text": text}) for kind, text in found]

    def erase(self, customer: str) -> list[Retained]:
        for kind in ("account", "orders"):
            self.tables[kind].pop(customer, None)
        return [Retained("invoices", None, "tax law")] if customer in self.tables["invoices"] else []

    def deactivate(self, customer: str) -> None:
        pass


class Forgets(Whole):
    def erase(self, customer: str) -> list[Retained]:
        self.tables["account"].pop(customer, None)
        return [Retained("invoices", None, "tax law")]


class TakesAll(Whole):
    def erase(self, customer: str) -> list[Retained]:
        for rows in self.tables.values():
            rows.clear()
        return []


class Silent(Whole):
    def erase(self, customer: str) -> list[Retained]:
        return [one._replace(reason="") for one in super().erase(customer)]


class Once(Whole):
    def erase(self, customer: str) -> list[Retained]:
        del self.tables["account"][customer]
        return []


def test_hooks_that_do_all_pass() -> None:
    check_hooks(Whole(), customer="1", other="2")


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        (Forgets, "still yields orders"),
        (TakesAll, "another customer's data"),
        (Silent, "without a reason"),
    ],
)
def test_suite_names_what_is_missing(hooks: Callable[[], object], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_hooks(hooks(), customer="1", other="2")


def test_erase_that_fails_for_who_is_gone_fails() -> None:
    with pytest.raises(KeyError):
        check_hooks(Once(), customer="1", other="2")


def test_the_earlier_name_of_what_an_erasure_leaves_still_counts() -> None:
    from cookieguard import rights, testing

    assert rights.Kept is testing.hooks.Kept is Retained
