"""Figures and the bars they are held to, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Hold one figure; `bar` is what it has to reach, or with `at_most` what it must not pass."""

    name: str
    value: float | None
    """None: it could not be measured; `note` says why."""
    unit: str
    bar: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return whether the bar was reached, and how much is missing."""
        if self.bar is None:
            return ""
        if self.value is None:
            return "NOT MEASURED"
        missed_by = (self.value - self.bar) * (1 if self.at_most else -1)
        return f"MISSED by {written(missed_by)} {self.unit}" if missed_by > 0 else "met"

    @property
    def cells(self) -> tuple[str, ...]:
        """Write the figure as the cells of its row."""
        bar = "" if self.bar is None else f"{'<=' if self.at_most else '>='} {written(self.bar)} {self.unit}"
        value = "-" if self.value is None else f"{written(self.value)} {self.unit}"
        return self.name, value, bar, self.verdict, self.note


HEADER = ("", "measured", "bar", "", "")


def written(value: float) -> str:
    """Write a number with three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(figures: Iterable[Figure]) -> str:
    """Write figures as a Markdown table that reads well as plain text; columns that say nothing are left out."""
    return grid([HEADER, *(figure.cells for figure in figures)])


def grid(rows: list[tuple[str, ...]]) -> str:
    """Align rows, the first being the header, as a Markdown table."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(3, *(len(cell) for cell in column)) for column in columns]
    kept = list(zip(*columns, strict=True))
    kept.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in kept
    )
