"""What differs between two texts, for people to read: paragraph by paragraph, and in a changed one word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

WORDS = re.compile(r"\w+|\s+|[^\w\s]+")
MOST_WORDS = 2_000  # of two paragraphs together: comparing takes the square of it
ALIKE = 0.4  # two paragraphs that share less are one that went and one that came
LOOKS_AHEAD = 8  # paragraphs among which the one that was changed is looked for
HEADING = "# "  # what a paragraph begins with that is a heading; others begin with no mark
RULE = re.compile(r"\s*:?-+:?\s*")  # a cell below the heads of a table
CELLS = re.compile(r"(?<!\\)\|")
BETWEEN_CELLS = " · "
MARKS = re.compile(r"(?m)^(#{1,6}\s+|>\s?|[-*+]\s+)")
CODE = re.compile(r"(`{1,3})(?!`)(.{1,2000}?)(?<!`)\1(?!`)", re.DOTALL)
# Marks come in pairs; an underscore in a word, or one without its partner, is a character (`_ga`, a mail address).
EMPHASIS = re.compile(
    r"(?<![\w\\])(_{1,3})(?=[^\s_])(.{0,2000}?[^\s_\\])\1(?!\w)|(?<!\\)(\*{1,3})(?=[^\s*])(.{0,2000}?[^\s*\\])\3",
    re.DOTALL,
)
ESCAPE = re.compile(r"\\(?=[^\w\s]|_)")
HELD = "\ue000"  # a character of nobody's, where code stands: nothing in it is a mark


class Way(StrEnum):
    """Name what became of a piece of text."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Piece(NamedTuple):
    """Hold some words of a paragraph, and what became of them: all but CHANGED."""

    way: Way
    text: str


class Change(NamedTuple):
    """Hold one paragraph that differs: what became of it, its words, and the heading it stands under."""

    way: Way
    pieces: tuple[Piece, ...]
    heading: str


def differences(before: str, after: str) -> list[Change]:
    """Return the paragraphs that differ between two Markdown texts, in the order of the later one."""
    old, new = _paragraphs(before), _paragraphs(after)
    matcher = SequenceMatcher(None, old, new)  # what comes often starts no match: it would take the cube
    found: list[Change] = []
    for way, i, j, k, m in matcher.get_opcodes():
        if way != "equal":
            found.extend(_compared(old[i:j], new[k:m], _heading(new[:k])))
    return found


def _compared(old: Sequence[str], new: Sequence[str], heading: str) -> Iterator[Change]:
    at = 0
    for after in new:
        partner = _partner(old[at : at + LOOKS_AHEAD], after)
        if partner is None:
            yield _whole(Way.ADDED, after, heading)
            continue
        for before in old[at : at + partner]:
            yield _whole(Way.REMOVED, before, heading)
        at += partner + 1
        yield Change(Way.CHANGED, _pieces(_shown(old[at - 1]), _shown(after)), heading)
    for before in old[at:]:
        yield _whole(Way.REMOVED, before, heading)


def _partner(old: Sequence[str], after: str) -> int | None:
    """Return which of some paragraphs became this one; None where it is new."""
    likeness = [_likeness(before, after) for before in old]
    best = max(likeness, default=0.0)
    return likeness.index(best) if best >= ALIKE else None


def _likeness(before: str, after: str) -> float:
    """Return which share of the words of two paragraphs is in both; 0 where there are too many to compare."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        return 0.0
    both, all_ = set(old) & set(new), set(old) | set(new)
    return len(both) / len(all_) if all_ else 0.0


def _whole(way: Way, text: str, heading: str) -> Change:
    return Change(way, (Piece(way, _shown(text)),), heading)


def _shown(text: str) -> str:
    return text.removeprefix(HEADING)


def _pieces(before: str, after: str) -> tuple[Piece, ...]:
    old, new = WORDS.findall(before), WORDS.findall(after)
    matcher = SequenceMatcher(None, old, new)
    found: list[Piece] = []
    for way, i, j, k, m in matcher.get_opcodes():
        if way == "equal":
            found.append(Piece(Way.SAME, "".join(old[i:j])))
            continue
        if i < j:
            found.append(Piece(Way.REMOVED, "".join(old[i:j])))
        if k < m:
            found.append(Piece(Way.ADDED, "".join(new[k:m])))
    return tuple(found)


def _paragraphs(markdown: str) -> list[str]:
    """Return what is separated by empty lines, and each item of a list and row of a table.

    Each is on one line and without Markdown's marks.
    """
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s)", markdown)
    parts = (part for block in blocks for part in _rows(block))
    return [text for part in parts if (text := _plain(part))]


def _rows(block: str) -> list[str]:
    """Return the rows of a table, their cells beside each other; of anything else the block itself."""
    lines = block.strip().split("\n")
    if len(lines) < 2 or "|" not in lines[0] or not all(map(RULE.fullmatch, _cells(lines[1]))):
        return [block]
    return [BETWEEN_CELLS.join(map(str.strip, _cells(row))) for row in (lines[0], *lines[2:])]


def _cells(row: str) -> list[str]:
    return CELLS.split(row.strip().strip("|"))


def _plain(block: str) -> str:
    level = re.match(r"#{1,6}\s", block)
    text = " ".join(_without_marks(block).split())
    return HEADING + text if level and text else text


def _without_marks(block: str) -> str:
    codes = [code for _, code in CODE.findall(block)]
    text = MARKS.sub("", CODE.sub(HELD, block.replace(HELD, "")))
    for _ in range(2):  # one inside of another
        text = EMPHASIS.sub(lambda found: found[2] or found[4], text)
    first, *rest = ESCAPE.sub("", text).split(HELD)
    return first + "".join(code + part for code, part in zip(codes, rest, strict=True))


def _heading(paragraphs: Sequence[str]) -> str:
    return next((_shown(one) for one in reversed(paragraphs) if one.startswith(HEADING)), "")
