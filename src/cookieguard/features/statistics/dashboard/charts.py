"""Bar charts over time as inline SVG, without scripts and style attributes, and sharp at every width.

The picture is stretched to the width of the page, so it contains no text; the template puts the axes around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

SLOT, HEIGHT = 10, 100  # units: the width for one bar, and the whole height
MARK = Markup('<line class="n" x1="{:g}" x2="{:g}" y1="0" y2="{}"/>')  # for the staff's notes
STUB = 3  # height of a bar whose figure is too small to be shown
STEPS = (1, 2, 4, 5, 6, 8, 10)  # tops of an axis with a round half


@dataclass(frozen=True, slots=True)
class Point:
    """Hold one bar. Figures of too few people are None. `before` is the figure of the period before."""

    label: str
    views: int | None
    second: int | None
    before: int | None = None
    is_outside: bool = False  # in the future, or before the shop's first figures
    notes: Sequence[str] = ()  # of the staff, on its days


def top_of(points: Sequence[Point]) -> int:
    """Return a round number that is at least as high as every figure."""
    highest = max([1, *(bar for point in points for bar in (point.views, point.before) if bar is not None)])
    unit = 10 ** (len(str(highest)) - 1)
    top: int = next(step * unit for step in STEPS if step * unit >= highest)
    return max(2, top)


def bars(points: Sequence[Point], *, second: str, what: str, first: str = "views") -> Markup:
    """Draw the first figure as bars, the second one inside them, and the period before as a line over them."""
    top = top_of(points)
    drawn = Markup("").join(_bar(at, point, top, (first, second)) for at, point in enumerate(points))
    lines = Markup("").join(_line(run, top) for run in _runs(points))
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>'
    ).format(len(points) * SLOT, HEIGHT, what, drawn, lines)


def _bar(at: int, point: Point, top: int, names: tuple[str, str]) -> Markup:
    x = at * SLOT
    if point.is_outside:
        return Markup()
    mark = MARK.format(x + SLOT / 2, x + SLOT / 2, HEIGHT) if point.notes else Markup()
    if point.views is None:
        told = f"{point.label}: too few people to be shown"
        inside = _rect("h", x + 1, SLOT - 2, STUB)
    else:
        told = f"{point.label}: {point.views:,} {names[0]}"
        told += "" if point.second is None else f", {point.second:,} {names[1]}"
        inside = _rect("v", x + 1, SLOT - 2, HEIGHT * point.views / top)
        inside += _rect("p", x + 1, SLOT - 2, HEIGHT * min(point.second or 0, point.views) / top)
    told += "".join(f"; {note}" for note in point.notes)
    return Markup('<g><title>{}</title><rect class="t" x="{}" y="0" width="{}" height="{}"/>{}{}</g>').format(
        told, x, SLOT, HEIGHT, inside, mark
    )


def _rect(name: str, x: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{:.2f}" width="{}" height="{:.2f}"/>').format(
        name, x, HEIGHT - height, width, height
    )


def _runs(points: Sequence[Point]) -> list[list[tuple[int, int]]]:
    """Split the line of the period before at gaps, because a line across a gap would suggest figures."""
    runs: list[list[tuple[int, int]]] = [[]]
    for at, point in enumerate(points):
        if point.before is None:
            runs.append([])
        else:
            runs[-1].append((at, point.before))
    return [run for run in runs if run]


def _line(run: Sequence[tuple[int, int]], top: int) -> Markup:
    path = " ".join(f"{at * SLOT + SLOT / 2:g},{HEIGHT - HEIGHT * value / top:.2f}" for at, value in run)
    return Markup('<polyline class="b" points="{}"/>').format(path)
