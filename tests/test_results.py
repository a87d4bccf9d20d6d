"""What the README claims about speed is what was measured last."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUOTED = re.compile(r"<!-- results -->\n(.*?)\n<!-- /results -->", re.DOTALL)


def test_the_readme_quotes_a_sentence_of_the_results() -> None:
    found = QUOTED.findall((ROOT / "README.md").read_text())

    assert len(found) == 1
    assert re.search(r"[0-9] MB a second .* times python-lolhtml", found[0])
    assert f"In one sentence: {found[0]}\n" in (ROOT / "RESULTS.md").read_text()


def test_the_readme_names_no_other_speed() -> None:
    rest = QUOTED.sub("", (ROOT / "README.md").read_text())

    assert QUOTED.search((ROOT / "README.md").read_text())
    assert re.findall(r"[0-9.,]+ ?(?:MB/s|GB/s|MB a second|times faster|x faster)", rest) == []
