"""html5lib-tests: the rewriter sees every start tag of the tokenizer's data with its attributes, at every split.

HTML5LIB_TESTS names the folder of the data; without it these tests are skipped, as the data is not ours to ship.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.rewriting import ORIGIN

from cookieguard.html import Rewriter, Rules
from cookieguard.html.contact_points import TEXT_NAMES
from cookieguard.html.grammar import ATTRIBUTES, TAG_NAME
from cookieguard.html.tokenizer.character_references import decode_attribute
from cookieguard.html.types import Tag

FOLDER = os.environ.get("HTML5LIB_TESTS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="HTML5LIB_TESTS names no folder of html5lib-tests")

# Text states begin behind the start tag that leads to them. PLAINTEXT is scanned on purpose, CDATA needs svg.
STATES = {
    "Data state": "",
    "RCDATA state": "<title>",
    "RAWTEXT state": "<style>",
    "Script data state": "<script>",
}
ENDED = {
    "Data state": {name.decode() for name in TEXT_NAMES},
    "RCDATA state": {"title", "textarea", "script"},
    "RAWTEXT state": {"xmp", "style", "noframes", "script"},
    "Script data state": {"script"},
}
# Elements after which this scanner reads text (as a parser would, and the bare tokenizer of the tests does not).
SWITCHING = {name.decode() for name in TEXT_NAMES} | {
    "svg",
    "math",
    "select",
    "template",
    "frameset",
    "plaintext",
}


class Attentive(Rules):
    """Rules that keep no answer, so that every tag is looked at, and list the tags they were asked about."""

    def __init__(self) -> None:
        super().__init__(lambda url: None, ORIGIN)
        self.seen: list[bytes] = []

    def keep(self, known: dict[bytes, Tag], raw: bytes, tag: Tag) -> None:
        """List the tag and keep nothing; one that waited for its text comes twice in a row."""
        if not tag.is_judged or self.seen[-1:] != [raw]:
            self.seen.append(raw)


def start_tags(page: bytes, cuts: list[int]) -> list[tuple[str, dict[str, str]]]:
    """List the start tags seen, in a template: within it the scanner passes over none."""
    rules = Attentive()
    rewriter = Rewriter(rules)
    rewriter.feed(b"<template>")
    position = 0
    for cut in [*cuts, len(page)]:
        rewriter.feed(page[position:cut])
        position = cut
    rewriter.close()
    return [read(raw) for raw in rules.seen[1:] if not raw.startswith(b"</")]


def read(raw: bytes) -> tuple[str, dict[str, str]]:
    match = TAG_NAME.match(raw)
    assert match
    attributes: dict[str, str] = {}
    for found in ATTRIBUTES.finditer(raw, match.end(), len(raw) - 1):
        value = text(found[found.lastindex]) if found.lastindex and found.lastindex > 1 else ""
        attributes.setdefault(ascii_lower(text(found[1])), decode_attribute(value))
    return ascii_lower(text(match[2])), attributes


def text(raw: bytes) -> str:
    return (
        raw.decode("utf-8", "surrogatepass").replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")
    )


def ascii_lower(name: str) -> str:
    return re.sub("[A-Z]+", lambda match: match[0].lower(), name)


def cases() -> Iterator[Any]:
    for path in sorted(Path(FOLDER or "/nowhere").glob("**/*.test")):
        for number, test in enumerate(json.loads(path.read_text("utf-8")).get("tests", [])):
            for state in test.get("initialStates", ["Data state"]):
                if state in STATES and test.get("lastStartTag", "script") in ENDED[state]:
                    yield pytest.param(test, state, id=f"{path.stem}-{number}-{state.split()[0]}")


def unescaped(value: Any) -> Any:
    """Decode the `\\uXXXX` of double escaped tests."""
    if isinstance(value, str):
        return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), value)
    if isinstance(value, list):
        return [unescaped(item) for item in value]
    return {unescaped(k): unescaped(v) for k, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(("test", "state"), list(cases()))
def test_every_start_tag_is_seen_at_every_split(test: dict[str, Any], state: str) -> None:
    source, output = test["input"], test["output"]
    if test.get("doubleEscaped"):
        source, output = unescaped(source), unescaped(output)
    opener = (
        f"<{test['lastStartTag']}>" if "lastStartTag" in test and state != "Data state" else STATES[state]
    )
    page = (
        (opener + source)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
        .encode("utf-8", "replace")
    )
    expected = [(token[1], token[2]) for token in output if token[0] == "StartTag"]
    for index, (name, _) in enumerate(expected):
        if name in SWITCHING:
            expected = expected[: index + 1]
            break

    for cuts in [[], *([cut] for cut in range(1, len(page))), list(range(1, len(page)))]:
        seen = start_tags(page, cuts)[bool(opener) :]
        assert seen[: len(expected)] == expected, cuts
        assert len(seen) == len(expected) or any(name in SWITCHING for name, _ in expected), cuts
