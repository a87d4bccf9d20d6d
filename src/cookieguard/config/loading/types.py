"""Hold each setting to its annotated type, whether it came from Python or from TOML."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from cookieguard.errors import ConfigError

NAMES = {
    date: "a date (in TOML without quotes: 2026-12-15)",
    str: "text",
    int: "a whole number",
    bool: "true or false",
    Mapping: "a table of texts by language",
}


@cache
def field_types(section: Any) -> Mapping[str, Any]:
    """Return the resolved annotation of each field of a settings dataclass."""
    return typing.get_type_hints(section)


def describe(annotation: Any) -> str:
    """Return in words what a setting of this type looks like."""
    element = element_of(annotation)
    if element is not None:
        return f"a tuple (in TOML: a list) of {NAMES.get(element, element.__name__)}"
    parts = typing.get_args(annotation) or (annotation,)
    parts = tuple(typing.get_origin(part) or part for part in parts)
    words = [NAMES.get(part, f"a {part.__name__}") for part in parts if part is not type(None)]
    return " or ".join(words)


def element_of(annotation: Any) -> Any:
    """Return X of `tuple[X, ...]`, None for any other annotation."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is tuple else None


def require_types(where: str, settings: Any) -> None:
    """Require every field of a settings dataclass to be what its annotation says.

    Raises ConfigError with `where` and the field as the dotted setting. A text where a list belongs is the
    usual slip: it would be taken letter by letter.
    """
    for name, annotation in field_types(settings.__class__).items():
        value = getattr(settings, name)
        if not _fits(value, annotation):
            setting = f"{where}.{name}" if where else name
            raise ConfigError(setting, was=_shown(value), allowed=describe(annotation))


def _fits(value: Any, annotation: Any) -> bool:
    element = element_of(annotation)
    if element is not None:
        return type(value) is tuple and all(_fits(one, element) for one in value)
    accepted = typing.get_args(annotation) or (annotation,)
    if dataclasses.is_dataclass(accepted[0]):
        return isinstance(value, accepted[0])  # type: ignore[arg-type]  # a dataclass type, as just seen
    if isinstance(value, Mapping):
        texts = [*value, *value.values()]
        return any(typing.get_origin(one) is Mapping for one in accepted) and all(
            type(one) is str for one in texts
        )
    return type(value) in accepted


def _shown(value: Any) -> str:
    if isinstance(value, (str, int, float, bool)):
        return repr(value)[:80]
    return f"a {type(value).__name__}"
