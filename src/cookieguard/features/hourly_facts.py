"""The facts of the Overview that take time: figures of 30 days, and the findings of the doctor.

The hourly job writes them into a file of the state directory, so no request waits for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.engines.doctor import TRACKER_ADVICE
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.engines.retention import Times
from cookieguard.features.checks import checks_of
from cookieguard.features.feature import Place
from cookieguard.features.statistics.dashboard.goal_tables import goals_and_steps
from cookieguard.features.statistics.dashboard.overview import read_overview
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.dashboard.tabs import read_details
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days, HitReader
from cookieguard.stats.goals import STEP_NAMES, VALUE_SIGN
from cookieguard.stats.hits import SECONDS_OF_DAY, Dimension
from cookieguard.stats.k_anonymity import Cell, leaves_few, rounded, suppress
from cookieguard.storage.state_directory import StateDirectory

FACTS_FILE = "overview"
RANGE = RANGES["30"]
LEAST = 50  # orders in each of two periods; with fewer, counts rounded to ten show no reliable change


class Amount(NamedTuple):
    """Hold a figure as text, and its change in percent; None if there is nothing to compare it with."""

    text: str
    change: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Hold the results of the job, without figures of too few people; `trouble` says why all figures are missing."""

    at: datetime
    span: str = ""
    figures: Mapping[str, Amount] = field(default_factory=dict)
    """Visits, orders and revenue."""
    answers: Mapping[str, int] = field(default_factory=dict)
    """The share of each answer to the banner in all answers, in percent."""
    held: int = 0
    """How many third parties were held."""
    findings: Sequence[Finding] = ()
    """The findings of the doctor, without people's tasks."""
    trouble: str = ""

    @property
    def trackers(self) -> list[str]:
        """Trackers that the shop's own hosts serve to everybody."""
        return [finding.found for finding in self.findings if finding.advice == TRACKER_ADVICE]

    @property
    def broken(self) -> list[tuple[str, str]]:
        """The checks that failed: the name of each, then what it found."""
        return [(finding.check, finding.found) for finding in self.findings if not finding.is_fine]


def write_facts(place: Place, times: Times) -> int:
    """Write the facts of this hour, as a step of the hourly job; removes nothing."""
    shop = Shop(config=place.config, environ=place.environ, now=times.now)
    findings = [(finding.check, finding.found, finding.mend, finding.advice) for finding in checks_of(shop)]
    facts: dict[str, Any] = {"at": times.now.isoformat(), "findings": findings}
    try:
        facts |= _figures(shop)
    except Exception as error:  # noqa: BLE001 - an engine's driver may raise anything; the page names the error
        facts["trouble"] = type(error).__name__
    StateDirectory(place.state).replace(FACTS_FILE, json.dumps(facts).encode())
    return 0


def read_facts(state: Path) -> Facts | None:
    """Return the newest facts; None before the job has run once."""
    try:
        found = json.loads((state / FACTS_FILE).read_bytes())
        figures = {name: Amount(*amount) for name, amount in found.pop("figures", {}).items()}
        findings = [Finding(*row) for row in found["findings"]]
        typed = {"at": datetime.fromisoformat(found["at"]), "figures": figures, "findings": findings}
        return Facts(**{**found, **typed})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _figures(shop: Shop) -> dict[str, Any]:
    """Read the figures that the statistics show for these days; empty if nothing was counted yet."""
    stats = shop.config.stats
    engine = open_engine(stats, shop.state, environ=shop.environ) if stats.enabled else None
    if engine is None or engine.retained() is None:
        return {}
    with closing(engine.reader()) as reader:
        now = shop.now
        overview = read_overview(reader, Selection(range=RANGE), now=now, hit_days=stats.hit_days)
        tabs = (Selection(tab=tab, range=RANGE) for tab in ("consent", "held"))
        consent, held = (read_details(reader, tab, now=now) for tab in tabs)
        found: dict[str, Any] = {
            "answers": dict(consent.shares) if consent.range == RANGE else {},
            "held": len(held.hosts) if held.range == RANGE else 0,
        }
        if overview.range == RANGE:
            visits = {shown.name: Amount(shown.value, shown.change) for shown in overview.figures}["Visits"]
            orders = _orders(reader, int(now.timestamp()) // SECONDS_OF_DAY)
            found |= {"span": overview.span, "figures": {"Visits": visits, **orders}}
    return found


def _orders(reader: HitReader, today: int) -> Mapping[str, Amount]:
    """Return how often goals with a value were reached and about how much they were worth, if there are such goals.

    Only whole days are compared. No change is shown if a longer range minus both periods would leave few people.
    """
    now, last, before, around = (
        _Goals(reader, Days(today - first, today - end))
        for first, end in ((29, 0), (30, 1), (60, 31), (90, 1))
    )
    if not now.orders:
        return {}
    both = Cell("", 0, tuple(map(sum, zip(last.sum.counts, before.sum.counts, strict=True))))
    is_fit = min(last.orders, before.orders) >= LEAST and not leaves_few(both, around.sum, by_views=True)
    pairs = ((last.orders, before.orders), (last.worth, before.worth))
    changes = [round(100 * (new / old - 1)) if is_fit and old else None for new, old in pairs]
    two_digits = round(now.worth, 2 - len(str(int(now.worth))))  # more would claim too much precision
    texts = f"{now.orders:,}", f"about {two_digits:,.0f}"
    return dict(zip(("Orders", "Revenue"), map(Amount, texts, changes), strict=True))


class _Goals:
    """Sum up the goals with a value in a range, from figures that may be shown."""

    def __init__(self, reader: HitReader, days: Days) -> None:
        cells = [row.cell(by_views=True) for row in reader.breakdown(days, Dimension.GOAL)]
        goals, self._steps = goals_and_steps(suppress(cells))
        names = {row.value.rpartition(VALUE_SIGN)[0] for row in self._steps.rows}
        self._orders = [row for row in goals.rows if row.value in names]

    @property
    def orders(self) -> int:
        """How often they were reached, with each count rounded."""
        return sum(rounded(row.counts[0]) for row in self._orders)

    @property
    def worth(self) -> float:
        """What they were worth, by the middle of each range of values."""
        steps = {row.value.rpartition(VALUE_SIGN): row.counts[0] for row in self._steps.rows}
        return sum(rounded(count) * STEP_NAMES[step] for (_, _, step), count in steps.items())

    @property
    def sum(self) -> Cell:
        """The exact counts, which are not shown."""
        counts = zip((0, 0, 0), *(row.counts for row in self._orders), strict=True)
        return Cell("", 0, tuple(map(sum, counts)))
