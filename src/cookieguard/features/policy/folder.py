"""The folder of policy texts: read its versions, use the published text in place of a changed one, add a version."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cookieguard.config import Config
from cookieguard.config.languages import language_of
from cookieguard.errors import ConfigError
from cookieguard.features.policy.kept_texts import KeptTexts
from cookieguard.features.policy.values.versions import (
    LONGEST_TEXT,
    SETTING,
    Version,
    require_unaltered,
    versions_of,
)

MOST_FILES = 2_000  # 40 versions in 50 languages
GONE = "the folder is missing"  # listed instead of changed files
Stamp = tuple[tuple[str, int, int], ...]


def read_versions(config: Config) -> tuple[Version, ...]:
    """Read every version as it is in the folder; raises ConfigError that names the file."""
    return read_folder(config, KeptTexts({}, {}))[0]


def read_folder(config: Config, kept: KeptTexts) -> tuple[tuple[Version, ...], list[str]]:
    """Return every version, with kept texts instead of changed files, and the changed files. Raises ConfigError."""
    folder = Path(config.policy.folder)
    is_gone = bool(kept.files) and not folder.exists()
    folders, refused = {} if is_gone else _folders(folder), list[str]()
    for name, digests in kept.digests.items():
        for language, digest in digests.items():
            files, file = folders.setdefault(name, {}), f"{language}.md"
            if digest in kept.files and files.get(file) != kept.files[digest]:
                files[file] = kept.files[digest]
                refused.append(f"{name}/{file}")
    versions = versions_of(
        {name: files for name, files in folders.items() if files},
        language=language_of(config.consent.language),
        notice_days=config.policy.notice_days,
    )
    require_unaltered(versions, kept.digests)
    return versions, [GONE] if is_gone else refused


def add_version(folder: Path, version: Version) -> None:
    """Write a version into the folder, whole or not at all; raises ConfigError if the shop may not write there."""
    unfinished = folder / f".{version.digest}"  # another attempt can only have left the same texts there
    try:
        unfinished.mkdir(exist_ok=True)
        for language, text in version.texts.items():
            (unfinished / f"{language}.md").write_bytes(text.source)
        unfinished.rename(folder / version.name)
    except OSError as error:
        allowed = "a folder that the shop may write; or download the draft and announce it by the command"
        raise ConfigError(SETTING, was=f"{folder} ({error.strerror})", allowed=allowed) from error


def told_of(refused: Sequence[str]) -> str:
    """Name the texts that differ from the published ones, for a message."""
    return GONE if GONE in refused else f"{', '.join(refused)} changed after publication"


def stamp_of(folder: Path) -> Stamp:
    """Return names, times and sizes of all texts, which change when a text does. Raises OSError."""
    stamps = []
    for path in _files(folder):
        status = path.stat()
        stamps.append((f"{path.parent.name}/{path.name}", status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def _folders(folder: Path) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    try:
        for path in _files(folder):
            with path.open("rb") as file:
                found.setdefault(path.parent.name, {})[path.name] = file.read(LONGEST_TEXT + 1)
    except OSError as error:
        was = f"{folder} ({error.strerror})"
        raise ConfigError(SETTING, was=was, allowed="a folder of readable texts") from error
    return found


def _files(folder: Path) -> list[Path]:
    """List the files of all versions, except names that begin with a dot (`.git`, an editor's copies)."""
    with os.scandir(folder) as entries:
        versions = sorted(item.path for item in entries if item.is_dir() and not item.name.startswith("."))
    files = [
        path
        for version in versions
        for path in sorted(Path(version).iterdir())
        if not path.name.startswith(".")
    ]
    if len(files) > MOST_FILES:
        raise ConfigError(SETTING, was=f"a folder with {len(files)} files", allowed=f"at most {MOST_FILES}")
    return files
