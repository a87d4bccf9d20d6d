"""Differences between two Markdown texts for readers: by paragraph, and within a changed paragraph by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cookieguard.features.policy.values.markdown import parse

if TYPE_CHECKING:
    from markdown_it.token import Token

WORDS = re.compile(r"\w+|\s+|[^\w\s]+")
# Limits, because the time to compare repetitive texts grows with the square of their length.
MOST_WORDS = 2_000  # of two paragraphs together
MOST_PARAGRAPHS = 2_000  # of each text: ten times the longest policies of large companies
ALIKE = 0.4  # share of common words; below it, one paragraph was removed and another one added
LOOKS_AHEAD = 8  # paragraphs that are searched for the one that was changed
HEADING = "# "  # before the text of a heading; other paragraphs have no mark
BETWEEN_CELLS = " · "
TEXTS = ("inline", "fence", "code_block")
ENDS = ("paragraph_close", "heading_close", "tr_close", "fence", "code_block")


class Way(StrEnum):
    """Name how a piece of text differs between the two texts."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Piece(NamedTuple):
    """Hold some words of a paragraph, and how they differ: any way but CHANGED."""

    way: Way
    text: str


class Change(NamedTuple):
    """Hold one paragraph that differs: the way it differs, its words, and the heading above it."""

    way: Way
    pieces: tuple[Piece, ...]
    heading: str


def differences(before: str, after: str) -> list[Change]:
    """Return the paragraphs that differ between two Markdown texts, in the order of the later text.

    For texts that are too long to compare, return the whole text before as removed and the whole text after as added.
    """
    old, new = _paragraphs(before), _paragraphs(after)
    if old != new and max(len(old), len(new)) > MOST_PARAGRAPHS:
        return [
            Change(way, (Piece(way, whole),), "")
            for way, whole in ((Way.REMOVED, before), (Way.ADDED, after))
        ]
    matcher = SequenceMatcher(None, old, new)  # autojunk avoids cubic time for repetitions
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
    """Return the index of the old paragraph that became this one; None if it is new."""
    likeness = [_likeness(before, after) for before in old]
    best = max(likeness, default=0.0)
    return likeness.index(best) if best >= ALIKE else None


def _likeness(before: str, after: str) -> float:
    """Return the share of the words of two paragraphs that both have; 0 if there are too many to compare."""
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
    """Return each heading, paragraph, list item and table row as one line without Markdown's marks."""
    found, texts = list[str](), list[str]()
    for token in parse(markdown):
        if token.type in TEXTS:
            texts.append(" ".join(_plain(token).split()))
        if token.type in ENDS:
            mark = HEADING if token.type == "heading_close" else ""
            found += [mark + BETWEEN_CELLS.join(texts)] if any(texts) else []
            texts = []
    return found


def _plain(token: Token) -> str:
    """Return a token's text, with the address of each link after its words."""
    found, target = [] if token.children else [token.content], ""
    for part in token.children or ():
        if part.type == "link_open":
            target = "" if part.markup == "autolink" else f" ({part.attrGet('href')})"
        between = " " if part.type.endswith("break") else ""
        found.append(target if part.type == "link_close" else part.content or between)
    return "".join(found)


def _heading(paragraphs: Sequence[str]) -> str:
    return next((_shown(text) for text in reversed(paragraphs) if text.startswith(HEADING)), "")
