"""Read the versions of the policy from their folder."""

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
GONE = "the folder is missing"  # in place of the names of changed files
Stamp = tuple[tuple[str, int, int], ...]


def read_versions(config: Config) -> tuple[Version, ...]:
    """Read every version as it is in the folder; raises ConfigError naming the file."""
    return read_folder(config, KeptTexts({}, {}))[0]


def read_folder(config: Config, kept: KeptTexts) -> tuple[tuple[Version, ...], list[str]]:
    """Read every version, with kept texts in the place of changed files; return these as well. Raises ConfigError."""
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
    unfinished = folder / f".{version.name}"
    try:
        unfinished.mkdir(exist_ok=True)
        for language, text in version.texts.items():
            (unfinished / f"{language}.md").write_bytes(text.source)
        unfinished.rename(folder / version.name)
    except OSError as error:
        allowed = "a folder that the shop may write; or download the draft and announce it by the command"
        raise ConfigError(SETTING, was=f"{folder} ({error.strerror})", allowed=allowed) from error


def told_of(refused: Sequence[str]) -> str:
    """Say in words which texts are not the published ones."""
    return GONE if GONE in refused else f"{', '.join(refused)} changed after publication"


def stamp_of(folder: Path) -> Stamp:
    """Return what changes when a text does: names, times and sizes. Raises OSError."""
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
    """List the files of all versions; what begins with a dot is no version and no text (`.git`, an editor's)."""
    with os.scandir(folder) as entries:
        versions = sorted(one.path for one in entries if one.is_dir() and not one.name.startswith("."))
    files = [
        path
        for version in versions
        for path in sorted(Path(version).iterdir())
        if not path.name.startswith(".")
    ]
    if len(files) > MOST_FILES:
        raise ConfigError(SETTING, was=f"a folder with {len(files)} files", allowed=f"at most {MOST_FILES}")
    return files
