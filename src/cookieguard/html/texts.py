"""The text of an element, judged: inline scripts, rules for the browser, style sheets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cookieguard.html.charrefs import decode_text
from cookieguard.html.css import held_parts
from cookieguard.html.model import Held, Judge, Text
from cookieguard.html.scripts import held_hosts, loads_held
from cookieguard.html.urls import Url, readings


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say what to do with an element's text: nothing, hold the element, or `edits` to (start, end, new)."""

    held: tuple[Held, ...] = ()
    hold: bool = False
    edits: tuple[tuple[int, int, bytes], ...] = ()


PASSES = Verdict()
CDATA_MARKS = re.compile(rb"<!\[CDATA\[|\]\]>")
HREF = re.compile(rb"href[\t\n\r ]*=[\t\n\r ]*(?:\"([^\"]*)\"|'([^']*)')")
TAGS = re.compile(rb"<[^>]*>")


def judge_text(kind: Text, text: bytes, *, base: Url, judge: Judge) -> Verdict:
    """Judge raw text, as HTML content has it."""
    return JUDGES[kind](text, base, judge)


def judge_markup_text(kind: Text, source: bytes, *, base: Url, judge: Judge) -> Verdict:
    """Judge text that is, or may be, markup (inside svg): both as it stands and with its references decoded."""
    decoded = decode_text(CDATA_MARKS.sub(b"", source).decode("utf-8", "surrogateescape"))
    readings_of_it = dict.fromkeys(
        (source, decoded.encode("utf-8", "surrogateescape"), TAGS.sub(b"", source))
    )
    for reading in readings_of_it:
        verdict = judge_text(kind, reading, base=base, judge=judge)
        if verdict.held:
            return Verdict(held=verdict.held, hold=True)
    return PASSES


def judge_instruction(source: bytes, *, base: Url, judge: Judge) -> tuple[Held, ...]:
    """List what an `<?xml-stylesheet href="..."?>` loads and must not."""
    values = (
        decode_text((match[1] or match[2] or b"").decode("utf-8", "replace"))
        for match in HREF.finditer(source)
    )
    urls = [url for value in values for url in readings(value, base) if judge(url)]
    return _named(urls, "?xml-stylesheet", judge)


def _script(text: bytes, base: Url, judge: Judge) -> Verdict:
    found = loads_held(text, judge)
    return Verdict(held=_named(found, "script", judge), hold=True) if found else PASSES


def _rules(text: bytes, base: Url, judge: Judge) -> Verdict:
    held = _named(held_hosts(text, judge), "script", judge)
    return Verdict(held=held, hold=bool(held))


def _style(text: bytes, base: Url, judge: Judge) -> Verdict:
    found: list[Url] = []

    def holds(reference: str) -> bool:
        urls = [url for url in readings(reference, base) if judge(url)]
        found.extend(urls[:1])
        return bool(urls)

    edits = held_parts(text.decode("latin-1"), holds)
    if edits == []:
        return PASSES
    held = _named(found, "style", judge)
    if edits is None:
        return Verdict(held=held, hold=True)
    return Verdict(held=held, edits=tuple((start, end, new.encode("latin-1")) for start, end, new in edits))


def _named(urls: list[Url], element: str, judge: Judge) -> tuple[Held, ...]:
    rulings = ((url, judge(url)) for url in urls)
    return tuple(Held(element, "", url, ruling.purpose, ruling.vendor) for url, ruling in rulings if ruling)


JUDGES: dict[Text, Callable[[bytes, Url, Judge], Verdict]] = {
    Text.SCRIPT: _script,
    Text.RULES: _rules,
    Text.STYLE: _style,
}
