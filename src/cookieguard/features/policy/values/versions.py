"""The versions of the policy, and the rules for which one is in force, by texts, announcements and the day."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from cookieguard.config.languages import language_of
from cookieguard.errors import ConfigError
from cookieguard.features.policy.values.front_matter import Head, day_of, split_head
from cookieguard.features.policy.values.ledger import Announcement, Ledger

SETTING = "policy.folder"
FILE = re.compile(r"([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.md")
LONGEST_TEXT = 256 * 1024  # bytes of one file: five times the longest policies of large companies
Files = Mapping[str, bytes]


class Text(NamedTuple):
    """Hold a version in one language: its summary, its Markdown, and its file with the file's digest."""

    summary: tuple[str, ...]
    markdown: str
    digest: str
    source: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Hold one version of the policy: when it was announced, when it takes effect, and its texts by language."""

    name: str
    announced: date
    effective: date
    is_material: bool
    texts: Mapping[str, Text]

    @property
    def digest(self) -> str:
        """Return a digest of all texts, by which a receipt names the version that was agreed to."""
        lines = "".join(f"{language} {text.digest}\n" for language, text in sorted(self.texts.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def files(self) -> dict[str, str]:
        """Return the digest of each file by language, as an announcement keeps them."""
        return {language: text.digest for language, text in sorted(self.texts.items())}

    @property
    def sources(self) -> dict[str, tuple[str, bytes]]:
        """Return digest and content of each file by language."""
        return {language: (text.digest, text.source) for language, text in self.texts.items()}

    def text(self, language: str, default: str) -> tuple[str, Text]:
        """Return the text for a language tag, or else in the shop's language, after the language it is in."""
        for tag in (language, language.partition("-")[0], default, language_of(default)):
            if tag in self.texts:
                return tag, self.texts[tag]
        return next(iter(self.texts.items()))


def texts_to_compare(before: Version, after: Version, language: str, default: str) -> tuple[str, Text, Text]:
    """Return a language that both versions have, the reader's if possible, and the two texts in it."""
    wanted = (language, language.partition("-")[0])
    shared = next((tag for tag in wanted if tag in before.texts and tag in after.texts), default)
    return shared, before.text(shared, default)[1], after.text(shared, default)[1]


def versions_of(folders: Mapping[str, Files], *, language: str, notice_days: int) -> tuple[Version, ...]:
    """Return the versions of folders by name, in order; raises ConfigError that names the file or the version.

    Every version needs a text in `language`, the shop's own. Only the oldest version may take effect on the day it was
    announced, because it changes no earlier one.
    """
    if not folders:
        raise ConfigError(
            SETTING, was="without a version", allowed="a folder like 2026-12-15 with a file en.md"
        )
    versions = [_version(name, files, language) for name, files in sorted(folders.items())]
    for at, version in enumerate(versions):
        notice = (version.effective - version.announced).days
        if (at, notice) != (0, 0) and notice < notice_days:
            was = f"{version.effective}, {notice} days after its announcement ({version.announced})"
            allowed = f"at least {notice_days} days after it (policy.notice_days)"
            raise ConfigError(f"{SETTING}: {version.name}: effective", was=was, allowed=allowed)
    for before, after in pairwise(versions):
        if after.effective <= before.effective:
            was = f"{after.effective}, not after {before.name} ({before.effective})"
            raise ConfigError(
                f"{SETTING}: {after.name}: effective", was=was, allowed="a later day for each version"
            )
    return tuple(versions)


def in_force(versions: Sequence[Version], ledger: Ledger | None, today: date) -> Version | None:
    """Return the version that is in force today; None before the first takes effect.

    A version takes effect on its day if its announcement is complete and the notice period is over. The first version
    needs no announcement. If announcements are unknown (`ledger` is None), the days alone decide.
    """
    found = None
    for at, version in enumerate(versions):
        entry = None if ledger is None else ledger.get(version.name)
        is_announced = at == 0 or ledger is None or (entry is not None and entry.is_complete)
        if first_day(version, entry) <= today and is_announced:
            found = version
    return found


def first_day(version: Version, entry: Announcement | None) -> date:
    """Return the first day on which a version may take effect by its text and by the notices sent so far."""
    if entry is None or entry.earliest is None:
        return version.effective
    return max(version.effective, entry.earliest)


def dated(
    versions: Sequence[Version], ledger: Ledger | None, today: date, notice_days: int
) -> tuple[Version, ...]:
    """Return the versions with the days on which they take effect, which may be later than their texts say.

    While notices are missing, the notice period has not begun, so it is counted from today.
    """
    ahead = {version.name for version in after(versions, in_force(versions, ledger, today))}

    def day(version: Version) -> date:
        entry = (ledger or {}).get(version.name)
        first = first_day(version, entry)
        is_waiting = entry is not None and not entry.is_complete and version.name in ahead
        return max(first, today + timedelta(days=notice_days)) if is_waiting else first

    return tuple(replace(version, effective=day(version)) for version in versions)


def upcoming(versions: Sequence[Version], ledger: Ledger | None, today: date) -> Version | None:
    """Return the next version that was announced and is not in force yet, for the shop's pages."""
    return next(iter(all_upcoming(versions, ledger, today)), None)


def all_upcoming(versions: Sequence[Version], ledger: Ledger | None, today: date) -> list[Version]:
    """Return every version that was announced and is not in force yet.

    If announcements are unknown (`ledger` is None), the days of announcement decide.
    """
    ahead = after(versions, in_force(versions, ledger, today))
    return [new for new in ahead if (new.announced <= today if ledger is None else new.name in ledger)]


def public(versions: Sequence[Version], ledger: Ledger | None, today: date) -> list[Version]:
    """Return the public versions, the newest first: announced ones, the one in force, and those before it."""
    current = in_force(versions, ledger, today)
    effective = () if current is None else versions[: versions.index(current) + 1]
    return [*reversed(all_upcoming(versions, ledger, today)), *reversed(effective)]


def after(versions: Sequence[Version], current: Version | None) -> Sequence[Version]:
    """Return the versions after the one in force; the first version is never one of them."""
    return versions[1 if current is None else versions.index(current) + 1 :]


def altered(versions: Sequence[Version], kept: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the files whose digest differs from the kept one, or which are gone."""
    by_name = {version.name: version.files for version in versions}
    return [
        f"{name}/{language}.md"
        for name, files in sorted(kept.items())
        for language, digest in files.items()
        if by_name.get(name, {}).get(language) != digest
    ]


def require_unaltered(versions: Sequence[Version], kept: Mapping[str, Mapping[str, str]]) -> None:
    """Raise ConfigError if a file that must not change was changed or is gone."""
    found = altered(versions, kept)
    if found:
        was = f"different: {found[0]} changed after its announcement"
        allowed = "the text that was announced; to change it, add a new version and announce that"
        raise ConfigError(SETTING, was=was, allowed=allowed)


def _version(name: str, files: Files, language: str) -> Version:
    where = f"{SETTING}: {name}"
    if day_of(name) is None:
        raise ConfigError(
            SETTING, was=f"with {name[:60]!r}", allowed="folders named after a day, like 2026-12-15"
        )
    heads: dict[str, Head] = {}
    texts: dict[str, Text] = {}
    for file, content in sorted(files.items()):
        named = FILE.fullmatch(file)
        if named is None:
            raise ConfigError(
                where, was=f"with {file[:60]!r}", allowed="a file for each language, like en.md or de.md"
            )
        heads[named[1]], texts[named[1]] = _text(content, f"{where}/{file}")
    if language not in texts:
        raise ConfigError(
            where, was=f"without {language}.md", allowed="a text in consent.language, and in any others"
        )
    return _agreed(name, heads, texts)


def _agreed(name: str, heads: Mapping[str, Head], texts: Mapping[str, Text]) -> Version:
    first_language, first = next(iter(heads.items()))
    for language, head in heads.items():
        for field in ("announced", "effective", "is_material"):
            was, other = getattr(head, field), getattr(first, field)
            if was != other:
                setting = f"{SETTING}: {name}/{language}.md: {field.removeprefix('is_')}"
                raise ConfigError(setting, was=was, allowed=f"{other}, as {first_language}.md says")
    return Version(
        name=name,
        announced=first.announced,
        effective=first.effective,
        is_material=first.is_material,
        texts=texts,
    )


def _text(content: bytes, where: str) -> tuple[Head, Text]:
    if len(content) > LONGEST_TEXT:
        raise ConfigError(where, was=f"{len(content)} bytes", allowed=f"at most {LONGEST_TEXT} bytes")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(where, was="not UTF-8", allowed="UTF-8") from error
    head, markdown = split_head(text, where)
    if not markdown.strip():
        raise ConfigError(where, was="without a text", allowed="the policy's text below the front matter")
    return head, Text(head.summary, markdown, hashlib.sha256(content).hexdigest(), content)
