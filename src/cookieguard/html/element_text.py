"""The judges of an element's text: style sheets, import maps and speculation rules. Scripts are not analysed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from cookieguard.html.css.stylesheet import held_in_sheet
from cookieguard.html.fast.answers import record, untracked
from cookieguard.html.legacy_encodings import other_readings
from cookieguard.html.tokenizer.character_references import decode_text
from cookieguard.html.types import ANYBODY, PASSES, Decision, Held, Judge, Text, unsure
from cookieguard.html.urls import Url, parse_url, readings, resolve

CDATA_MARKS = re.compile(rb"<!\[CDATA\[|\]\]>")
HREF = re.compile(rb"href[\t\n\r ]*=[\t\n\r ]*(?:\"([^\"]*)\"|'([^']*)')")
SPECULATIONS = ("prefetch", "prerender", "prerender_until_script", "prefetch_with_subresources")
# A pattern of links (`href_matches`) that matches one host only: the page's own, or a host that it names in full, which
# is judged like any other reference in the rules.
ONE_HOST = re.compile(r"/(?![/\\{(:])|https?://[a-z0-9.\-]+(?::[0-9]{1,5})?(?:/|\Z)")
MOST_FOUND = 200  # held URLs recorded for one sheet, as many as are listed for a whole page (types.MAX_HELD)
MAP_KEYS = frozenset({"imports", "scopes", "integrity"})  # of an import map
MOST_CONDITIONS = 20  # levels of nested conditions in document rules
ESCAPED_SLASH = re.compile(rb"\\(?:/|u002[fF])")
HOST = re.compile(rb"//(?:[^/\"'\s@<>]{1,64}+@|)([\w\x80-\xff\-]++(?:\.[\w\x80-\xff\-]++)*+(?::[0-9]{1,5}|))")
SOME_PAGE = parse_url("https://page.invalid/")
TAGS = re.compile(rb"<[^>]*>")
MAX_INSTRUCTION = 4096  # bytes; a longer `<?xml-stylesheet ...?>` is dropped
STYLESHEET = b"xml-stylesheet"


def judge_text(
    kind: Text,
    text: bytes,
    base: Url,
    judge: Judge,
    look: Callable[[bytes], Decision | None] = unsure,
    is_markup: bool = False,  # noqa: FBT001, FBT002  # compiled
) -> Decision:
    """Return the decision about the text of an element. `look` decides the plain cases, and is called first.

    With `is_markup`, the text is judged in all ways in which browsers may read it."""
    judge_kind = JUDGES[kind]
    if not is_markup:
        return look(text) or judge_kind(text, base, judge, False)  # noqa: FBT003  # as compiled functions want it
    for reading in markup_readings(text):
        decision = look(reading) or judge_kind(reading, base, judge, True)  # noqa: FBT003  # as above
        if decision.held or decision.hold:
            return Decision(decision.held, True)  # noqa: FBT003  # as above
    return PASSES


def markup_readings(source: bytes) -> tuple[bytes, ...]:
    """Return all ways to read a text that is, or may be, markup: as it is, with references decoded, without tags."""
    bare = CDATA_MARKS.sub(b"", source) if b"]]>" in source or b"<![" in source else source
    decoded = decode_text(bare.decode("utf-8", "surrogateescape"))
    return tuple(dict.fromkeys((source, decoded.encode("utf-8", "surrogateescape"), TAGS.sub(b"", source))))


def judge_instruction(
    data: bytes, start: int, base: Url, judge: Judge, *, is_last: bool
) -> tuple[tuple[Held, ...], bool] | None:
    """Return the held URLs of an `<?xml-stylesheet ...?>`, and whether to drop it; None if it is incomplete."""
    end = data.find(b"?>", start)
    if end < 0 and len(data) - start < MAX_INSTRUCTION and not is_last:
        return None
    source = data[start:end] if end >= 0 else data[start:]
    values = (
        decode_text((match[1] or match[2] or b"").decode("utf-8", "replace"))
        for match in HREF.finditer(source)
    )
    urls = [url for value in values for url in readings(value, base) if judge(url)]
    held = _named(urls, "?xml-stylesheet", judge)
    return held, (end < 0 or bool(held)) and source.startswith(STYLESHEET, 2)


def _rules(text: bytes, base: Url, judge: Judge, _: bool) -> Decision:  # noqa: FBT001  # as above
    partly = _import_map(text, base, judge)
    if partly is not None:
        return partly
    rules = _read_rules(text)
    urls = _held_references(rules, base, judge)
    if rules is None or not text.isascii():  # a browser may read such a text in another way
        urls = _named_hosts(text, judge) or urls
    held = _named(urls, "script", judge)
    is_open = judge(ANYBODY) is not None and (rules is None or _follows_links(rules))
    return Decision(held, bool(held) or is_open)


def _named_hosts(text: bytes, judge: Judge) -> list[Url]:
    """Return the held hosts among all names after two slashes, for a text that browsers may read in another way."""
    names = dict.fromkeys(HOST.findall(ESCAPED_SLASH.sub(b"/", text)))
    urls = (resolve(f"//{name.decode('utf-8', 'replace')}/", SOME_PAGE) for name in names)
    return [url for url in urls if url is not None and judge(url)]


def _import_map(text: bytes, base: Url, judge: Judge) -> Decision | None:
    """Judge an import map entry by entry, and replace held addresses by `null`, which makes their import fail.

    The names of the entries are not judged, because they cause no request. Return None if the text is not surely an
    import map, or if all of its entries are held.
    """
    mapping = _read_map(text)
    if mapping is None:
        return None
    found: list[Url] = []
    left = 0
    for entries in (mapping.get("imports", {}), *mapping.get("scopes", {}).values()):
        for name, target in entries.items():
            held = _held_references(target, base, judge)
            found += held
            if held:
                entries[name] = None
            else:
                left += target is not None
    if not (found and left):
        return None if found else PASSES
    new = json.dumps(mapping).replace("<", "\\u003c").encode()
    return Decision(_named(found, "script", judge), False, ((0, len(text), new),))  # noqa: FBT003  # as above


def _read_map(text: bytes) -> dict[str, dict[str, Any]] | None:
    """Return the import map if all browsers read it alike; None if it is broken or has other content."""
    try:
        mapping = json.loads(text.decode("ascii"), parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(mapping, dict) or not MAP_KEYS.issuperset(mapping):
        return None
    scopes = mapping.get("scopes", {})
    listed = [mapping.get("imports", {}), scopes, *(scopes.values() if isinstance(scopes, dict) else ())]
    return mapping if all(isinstance(entries, dict) for entries in listed) else None


def _refuse(number: str) -> None:
    raise ValueError(number)


def _read_rules(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8", "replace").removeprefix("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None  # most browsers reject it too, but Chromium's parser accepts `\v` and deeper nesting


def _held_references(rules: Any, base: Url, judge: Judge) -> list[Url]:
    """Return the held URLs among all strings, even in forms such as `https:host` and `https:\\\\host`."""
    found: list[Url] = []
    unread = [rules]
    while unread:
        value = unread.pop()
        if isinstance(value, dict):
            unread += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            unread += value
        elif isinstance(value, str):
            found += [url for url in readings(value, base) if judge(url)]
    return found


def _follows_links(rules: Any) -> bool:
    """Return whether speculation rules let the browser load the page's links to any host in advance."""
    listed = [rules.get(action) for action in SPECULATIONS] if isinstance(rules, dict) else []
    found = [rule for group in listed if isinstance(group, list) for rule in group if isinstance(rule, dict)]
    return any(
        ("where" in rule or rule.get("source") == "document") and not _matches_own_hosts(rule.get("where"), 0)
        for rule in found
    )


def _matches_own_hosts(where: Any, depth: int) -> bool:
    """Return whether a condition of document rules matches only links to the page's own host or to hosts it names."""
    if not isinstance(where, dict) or depth > MOST_CONDITIONS:
        return False
    joined = [(all, where.get("or")), (any, where.get("and"))]
    if any(
        isinstance(parts, list) and parts and enough(_matches_own_hosts(part, depth + 1) for part in parts)
        for enough, parts in joined
    ):
        return True
    patterns = where.get("href_matches")
    listed = patterns if isinstance(patterns, list) else [patterns]
    return bool(listed) and all(isinstance(pattern, str) and ONE_HOST.match(pattern) for pattern in listed)


def _style(text: bytes, base: Url, judge: Judge, is_markup: bool) -> Decision:  # noqa: FBT001  # as above
    holds = _SheetJudge(base, judge)
    edits = held_in_sheet(text, holds, is_markup)
    if any(held_in_sheet(reading, holds, is_markup) != edits for reading in other_readings(text)):
        edits = None
    if edits == []:
        return PASSES
    held = _named(holds.found, "style", judge)
    if edits is None:
        return Decision(held, True)  # noqa: FBT003  # as above
    return Decision(held, False, tuple(edits))  # noqa: FBT003  # as above


class _SheetJudge:
    """Judge the references of one sheet. A closure would keep the rules in memory until a garbage collection."""

    def __init__(self, base: Url, judge: Judge) -> None:
        self._base, self._judge = base, judge
        self.found: list[Url] = []

    def __call__(self, reference: str) -> bool:
        urls = [url for url in readings(reference, self._base) if self._judge(url)]
        if len(self.found) < MOST_FOUND:
            self.found.extend(urls[:1])
        return bool(urls)


def _named(urls: list[Url], element: str, judge: Judge) -> tuple[Held, ...]:
    held: list[Held] = []
    for url in urls:
        ruling = judge(url)
        if ruling is not None:
            held.append(record(Held, (element, "", url, ruling.purpose, ruling.vendor)))
    return untracked(tuple(held))


JUDGES: dict[Text, Callable[[bytes, Url, Judge, bool], Decision]] = {Text.RULES: _rules, Text.STYLE: _style}
