"""Folders of policy versions for tests."""

from __future__ import annotations

from pathlib import Path

HEAD = """---
announced: {announced}
effective: {effective}
material: {material}
summary: {summary}
---
"""
FIRST, SECOND = "2026-01-01", "2026-12-15"
OLD = "# Privacy\n\nWe keep your orders for ten years.\n\n## Who gets what\n\nYour parcel goes with Post.\n"
NEW = (
    "# Privacy\n\nWe keep your orders for six years.\n\n## Who gets what\n\nYour parcel goes with Post.\n\n"
    "Post tells nobody else.\n"
)


def put_version(
    folder: Path,
    name: str,
    text: str = OLD,
    *,
    language: str = "en",
    announced: str = "",
    effective: str = "",
    material: str = "true",
    summary: str = "Short words.",
) -> Path:
    """Write one text of one version; the days are the version's name where none are given."""
    path = folder / name / f"{language}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = HEAD.format(
        announced=announced or name, effective=effective or name, material=material, summary=summary
    )
    path.write_text(head + text)
    return path


def two_versions(folder: Path, *, announced: str = "2026-12-01") -> Path:
    """Write one version that is in force, and one that is announced."""
    put_version(folder, FIRST, OLD, summary="We keep orders for ten years.")
    put_version(folder, SECOND, NEW, announced=announced, summary="We keep orders for six years.")
    return folder
