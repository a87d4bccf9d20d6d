"""Conversion of rows that another consent tool exported into records of the log. The user names the columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.features.records.values.consents import (
    CONSENT,
    Asker,
    Event,
    Indication,
    Notice,
    consent_facts,
)
from cookieguard.features.records.values.records import (
    CUSTOMER,
    LONGEST_SUBJECT,
    Record,
    named,
    to_bytes,
    to_text,
)

NECESSARY = "necessary"
FIELDS = ("id", "time", "subject", "customer", "granted", "language", "policy")
TOOL = re.compile(
    r"(?!(customer|browser|named)$)[a-z][a-z0-9-]{0,39}"
)  # the prefix of imported subjects, so it may not be one of ours
# Other tools' words for purposes, in addition to the shop's own ids and the names of its vendors.
WORDS = {
    "essential": NECESSARY,
    "strictly necessary": NECESSARY,
    "required": NECESSARY,
    "functional": "preferences",
    "functionality": "preferences",
    "personalization": "preferences",
    "personalisation": "preferences",
    "preference": "preferences",
    "analytics": "statistics",
    "measurement": "statistics",
    "performance": "statistics",
    "statistic": "statistics",
    "ads": "marketing",
    "advertising": "marketing",
    "targeting": "marketing",
}
YES = frozenset({"true", "1", "yes", "y", "accept", "accepted", "allow", "granted", "given", "opt-in", "x"})
NO = frozenset({"false", "0", "no", "n", "deny", "denied", "decline", "declined", "refused", "opt-out", ""})
PAIRS, PAIR, NAMES = re.compile(r"[,;&|{}]"), re.compile("[:=]"), re.compile(r"[,;|]")
LONGEST_GRANTED = 4000  # characters
NEITHER = "has purposes that are neither names nor names with yes or no"
# Members of a consent cookie (Cookiebot's) that are not purposes
NOT_PURPOSES = frozenset({"stamp", "ver", "utc", "method", "region"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 100_000_000_000  # in seconds this would be the year 5138


class RowUnusable(CookieGuardError):
    """A row cannot be imported; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold how one tool's rows are read: the column of each field, and the shop's purpose for each of its words."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    """The columns of each field, and of each purpose that has its own column."""
    words: Mapping[str, str]
    purposes: frozenset[str]
    """The ids of the shop's purposes."""


def source_of(
    name: str,
    *,
    purposes: Iterable[str],
    vendors: Mapping[str, str],
    columns: Mapping[str, str],
    words: Mapping[str, str],
) -> Source:
    """Return how to read a tool's rows. A field is in the column that `columns` names, else in one of the same name.

    Words for purposes are the shop's ids, the names of its vendors, WORDS, and `words`, which overrides the others.
    """
    ours = frozenset(purposes)
    chosen = {field: (columns.get(field, field),) for field in FIELDS}
    own = {id_: tuple({id_, id_.capitalize()}.difference(chosen["granted"])) for id_ in ours}
    own |= {id_: (columns[id_],) for id_ in ours if id_ in columns}
    known = WORDS | {word.lower(): id_ for theirs in (vendors, words) for word, id_ in theirs.items()}
    known = {id_: id_ for id_ in ours} | {word: id_ for word, id_ in known.items() if id_ in ours}
    return Source(name=name, columns=own | chosen, words=known, purposes=ours)


def read_row(source: Source, row: Mapping[str, Any], asker: Asker, *, now: datetime) -> Record:
    """Return a row as a record. The same row always gives the same id. Raises RowUnusable."""
    time = _time(_needed(source, row, "time"), now)
    given = _granted_purposes(source, row)
    granted = frozenset(purpose for purpose, is_given in given.items() if is_given) | {NECESSARY}
    theirs = _text(_field(source, row, "id"))
    notice = Notice(
        digest="",
        language=_text(_field(source, row, "language")),
        policy=_text(_field(source, row, "policy")),
    )
    refused = source.purposes - granted
    choice = Indication(event=Event.IMPORT, notice=notice, granted=granted, refused=refused, method="import")
    facts = consent_facts(asker, choice, time=time)
    if granted == {NECESSARY}:
        facts["dpv:hasConsentStatus"] |= {"@type": "dpv:ConsentRefused"}
    facts["cg:imported"] = {"cg:from": source.name, "cg:id": theirs, "cg:at": to_text(now)}
    subject = _subject(source, row, theirs)
    written = theirs or json.dumps(row, sort_keys=True, default=str)
    record_id = named("import", f"{source.name}\n{written}\n{to_text(time)}")
    try:
        record = Record(
            kind=CONSENT, topic=Event.IMPORT.value, subject=subject, time=time, facts=facts, id=record_id
        )
        to_bytes(record)
    except ValueError as error:
        raise RowUnusable(f"cannot be a record: {error}") from error
    return record


def _subject(source: Source, row: Mapping[str, Any], theirs: str) -> str:
    """Return the person's subject: the shop's customer if a column has the number, else the tool's own id."""
    number = _text(_field(source, row, "customer"))
    named = _text(_field(source, row, "subject")) or theirs
    subject = f"{CUSTOMER}{number}" if number else f"{source.name}:{named}"
    if not (number or named):
        raise RowUnusable(f"names no person: {_columns(source, 'subject', 'id')} is missing or empty")
    if len(subject) > LONGEST_SUBJECT:
        raise RowUnusable(f"names a person in {len(subject)} characters; allowed: at most {LONGEST_SUBJECT}")
    return subject


def _granted_purposes(source: Source, row: Mapping[str, Any]) -> dict[str, bool]:
    found = {id_: _is_yes(row[name]) for id_ in source.purposes for name in _present(source, row, id_)}
    value = _field(source, row, "granted")
    given: dict[str, bool] = {}
    for word, is_given in (_pairs(value) if value not in (None, "") else {}).items():
        purpose = source.words.get(word.strip().lower())
        if purpose is None:
            raise RowUnusable(
                f"has the word {word[:40]!r}, which is no purpose or vendor of the shop; give its meaning with --words"
            )
        given[purpose] = given.get(purpose, True) and is_given
    if not (given or found) and value in (None, ""):
        raise RowUnusable(
            f"does not say which purposes were granted: {_columns(source, 'granted')} is missing or empty"
        )
    return given | found


def _pairs(value: Any) -> dict[str, bool]:
    if isinstance(value, str):
        if len(value) > LONGEST_GRANTED:
            raise RowUnusable(f"lists its purposes in {len(value)} characters; allowed: {LONGEST_GRANTED}")
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return _written_pairs(value)
    if isinstance(value, dict):
        return {str(word): _is_yes(answer) for word, answer in value.items() if word not in NOT_PURPOSES}
    if isinstance(value, list):
        return dict.fromkeys(map(str, value), True)
    raise RowUnusable(NEITHER)


def _written_pairs(text: str) -> dict[str, bool]:
    """Return the answers in a list of names or in "{necessary:true,statistics:false}"; of two for a name, no wins."""
    if not PAIR.search(text):
        return dict.fromkeys(filter(str.strip, NAMES.split(text)), True)
    found: dict[str, bool] = {}
    for part in filter(str.strip, PAIRS.split(text)):
        word, *answer = (text.strip(" \t\r\n\"'") for text in PAIR.split(part, maxsplit=1))
        if not (word and answer):
            raise RowUnusable(NEITHER)
        if word not in NOT_PURPOSES:
            found[word] = _is_yes(answer[0]) and found.get(word, True)
    return found


def _is_yes(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in YES:
        return True
    if word in NO or value is None:
        return False
    raise RowUnusable(f"has the choice {str(value)[:40]!r}; known: true, false, yes, no, accept, deny, 1, 0")


def _time(value: Any, now: datetime) -> datetime:
    text = str(value).strip()
    try:
        if re.fullmatch(r"[0-9]{9,14}(\.[0-9]+)?", text):
            number = float(text)
            number /= 1000 if number >= MILLISECONDS_FROM else 1
            time = datetime.fromtimestamp(number, UTC)
        else:
            time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RowUnusable(
            f"has the time {text[:40]!r}; allowed: a time like 2026-11-28T12:00:00Z, or seconds since 1970"
        ) from error
    if time < EPOCH:
        raise RowUnusable(f"has the time {text[:40]!r}, which is before 1970")
    if time > now:
        raise RowUnusable(f"has the time {to_text(time)}, which is in the future")
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _field(source: Source, row: Mapping[str, Any], field: str) -> Any:
    return next((row[name] for name in _present(source, row, field)), None)


def _needed(source: Source, row: Mapping[str, Any], field: str) -> Any:
    value = _field(source, row, field)
    if value in (None, ""):
        raise RowUnusable(f"has no {field}: {_columns(source, field)} is missing or empty")
    return value


def _present(source: Source, row: Mapping[str, Any], field: str) -> list[str]:
    return [name for name in source.columns.get(field, ()) if name in row]


def _columns(source: Source, *fields: str) -> str:
    return " or ".join(repr(name) for field in fields for name in source.columns.get(field, ()))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
