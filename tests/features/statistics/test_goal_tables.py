"""Goals on the dashboard: their sources and values, without a row for a single person."""

from __future__ import annotations

import re

from features.statistics.test_stats_page import Office, cells, figures, office, people, rows

from cookieguard.features.statistics.dashboard.goal_tables import percent_of
from cookieguard.stats.hits import Hit

__all__ = ["office"]


def buyers(count: int, source: str, *, step: str = "", campaign: str = "") -> list[Hit]:
    """Return visitors who agreed, came from a source and ordered something."""
    found = []
    for view in people(count, views=1, source=source, campaign=campaign):
        goal = view._replace(kind="goal", event="order placed", time=view.time + 60, source="", campaign="")
        found += [view, goal, *([goal._replace(event=f"order placed: {step}")] if step else [])]
    return found


def refusers(count: int) -> list[Hit]:
    return [hit._replace(key=0, consent="refused", source="") for hit in buyers(count, "letter")]


def test_orders_are_shown_by_source_and_by_campaign(office: Office) -> None:
    office.write([*buyers(30, "letter", campaign="winter"), *buyers(20, "search.example"), *refusers(100)])

    text = office.get("tab=goals").text

    assert rows(text, "Goals") == {"order placed": ("150", "50")}
    assert rows(text, "order placed by source") == {
        "(unknown)": ("100", "-"),
        "letter": ("30", "30"),
        "search.example": ("20", "20"),
    }
    assert cells(text, "Campaigns")["winter"] == ["30", "30", "30", "-", "-"]


def test_rates_are_by_source_page_country_and_device_for_each_goal(office: Office) -> None:
    """Those who agreed, of the visitors who agreed there; a goal belongs to the page that it was reached from."""
    buys = [hit._replace(page="/cart") for hit in buyers(40, "letter")]
    reads = [
        hit._replace(event="letter read", page="/about") if hit.kind == "goal" else hit
        for hit in buyers(30, "blog.example")
    ]
    abroad = [
        hit._replace(country="FR", device="mobile") for hit in people(160, source="letter", page="/cart")
    ]
    office.write([*buys, *reads, *abroad, *people(70, source="blog.example", page="/about")])

    def rate(goal: str, part: str) -> dict[str, str]:
        found = cells(office.get(f"tab=goals&goal={goal}").text, f"{goal} by {part}")
        return {value: line[2] for value, line in found.items()}

    assert rate("order placed", "source") == {"letter": "20 %"}  # 40 of 200
    assert rate("order placed", "page") == {"/cart": "20 %"}
    assert rate("order placed", "country") == {"Germany": "29 %"}  # 40 of 140
    assert rate("order placed", "device") == {"desktop": "29 %"}
    assert rate("letter read", "source") == {"blog.example": "30 %"}
    assert rate("letter read", "country") == {"Germany": "21 %"}  # 30 of 140


def test_goals_are_there_under_a_source_and_views_per_visit_are_not(office: Office) -> None:
    office.write([*buyers(30, "letter"), *buyers(20, "search.example"), *people(40)])

    text = office.get("source=letter").text

    assert rows(text, "Goals") == {"order placed": ("30", "30")}
    assert "Views per visit" not in figures(text)
    assert "order placed by source" not in text
    assert "each visit counts with its first view" in text


def test_a_page_has_no_views_per_visit_and_says_that_its_visits_began_there(office: Office) -> None:
    office.write([*people(40, views=1, page="/mug"), *people(20, views=3, page="/")])

    text = office.get("page=/mug").text

    assert figures(text) == {"Visitor-days": "40", "Visits": "40", "Views": "40"}
    assert "Only visits that began on this page" in text
    assert "Only visits that began" not in office.get().text


def test_a_rate_has_a_decimal_only_where_rounding_leaves_it_right() -> None:
    assert percent_of(20, 320) == "6 %"  # 15 to 24 of 315 to 324
    assert percent_of(330, 5_130) == "6.4 %"
    assert percent_of(110, 100) == "100 %"


def test_a_goal_says_which_part_of_the_visitors_reached_it(office: Office) -> None:
    office.write([*buyers(20, "letter"), *people(60)])

    section = re.search(r'aria-label="Goals">(.*?)</section>', office.get().text, re.DOTALL)

    assert section
    assert "<td>25 %</td>" in section[1]


def test_a_source_of_few_orders_hides_with_the_one_that_would_give_it_back(office: Office) -> None:
    office.write([*buyers(30, "letter"), *buyers(3, "search.example"), *people(40)])

    text = office.get("tab=goals").text

    assert "order placed by source" in text
    assert (
        '<bdi title="letter">letter'
        not in text.partition("order placed by source")[2].partition("</section>")[0]
    )


def test_value_of_orders_is_shown_in_steps(office: Office) -> None:
    office.write([*buyers(30, "letter", step="50 to 100"), *buyers(20, "letter", step="100 to 200")])

    text = office.get().text

    assert rows(text, "Goals") == {"order placed": ("50", "50")}
    assert rows(text, "Goal values") == {
        "order placed: 50 to 100": ("30", "30"),
        "order placed: 100 to 200": ("20", "20"),
    }
    assert "order placed: about 4,900 in all" in text  # 30 x 71 and 20 x 141


def test_a_step_that_leaves_few_orders_beside_it_is_hidden(office: Office) -> None:
    office.write([*buyers(30, "letter", step="50 to 100"), *buyers(3, "letter", step="10k and more")])

    text = office.get().text

    assert rows(text, "Goals") == {"order placed": ("30", "30"), "(other)": ("30", "-")}
    assert "50 to 100" not in text
    assert "10k" not in text


def valued(count: int, campaign: str, step: str) -> list[Hit]:
    return buyers(count, "letter", step=step, campaign=campaign)


def test_what_orders_were_worth_is_told_by_campaign(office: Office) -> None:
    """71 and 141 are the middles of the steps: 60 times the one, and 40 of each."""
    office.write(
        [
            *valued(60, "winter", "50 to 100"),
            *valued(40, "spring", "50 to 100"),
            *valued(40, "spring", "100 to 200"),
            *valued(30, "autumn", "100 to 200"),  # too few to be told
            *buyers(40, "letter", step="100 to 200"),
        ]
    )

    assert worths(office) == {"spring": "8,500", "winter": "4,200", "autumn": "-"}


def test_a_large_order_of_one_is_in_no_campaigns_worth(office: Office) -> None:
    office.write([*valued(60, "winter", "50 to 100"), *valued(70, "spring", "50 to 100")])
    before = worths(office)

    office.write(valued(1, "winter", "10k and more"))

    assert before
    assert worths(office) in (before, dict.fromkeys(before, "-"))


def worths(office: Office) -> dict[str, str]:
    return {value: line[3] for value, line in cells(office.get().text, "Campaigns").items()}
