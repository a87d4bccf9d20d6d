"""Check each setting against its annotated type, whether it comes from Python or from TOML."""

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
    """Return the resolved type of each field of a settings dataclass that can be set."""
    hints = typing.get_type_hints(section)
    return {field.name: hints[field.name] for field in dataclasses.fields(section) if field.init}


def describe(annotation: Any, value: object = None) -> str:
    """Return in words the values that a type allows; a text given for a dataclass is used in the example."""
    element = element_of(annotation)
    if element is not None:
        return f"a tuple (in TOML: a list) of {NAMES.get(element, element.__name__)}"
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        name = repr(value) if isinstance(value, str) else "..."
        return f"{annotation.__name__}({dataclasses.fields(annotation)[0].name}={name})"
    parts = typing.get_args(annotation) or (annotation,)
    parts = tuple(typing.get_origin(part) or part for part in parts)
    words = [NAMES.get(part, f"a {part.__name__}") for part in parts if part is not type(None)]
    return " or ".join(words)


def element_of(annotation: Any) -> Any:
    """Return X of `tuple[X, ...]`, None for any other annotation."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is tuple else None


def require_types(where: str, settings: Any, *, name: object = "") -> None:
    """Require every field of a settings dataclass to have its annotated type.

    The ConfigError names the dotted setting: `where`, the `name` of this entry in a list, and the field. The usual
    mistake is a text in place of a list: each letter would count as an element.
    """
    place = [str(part) for part in (where, name) if part]
    for field, annotation in field_types(settings.__class__).items():
        _require_type(".".join([*place, field]), getattr(settings, field), annotation)


def _require_type(setting: str, value: Any, annotation: Any) -> None:
    """Require a value of the annotated type; in a list or a table of texts, the error names the wrong element."""
    element = element_of(annotation)
    if element is not None and type(value) is tuple:
        for index, item in enumerate(value):
            _require_type(f"{setting}[{index}]", item, element)
        return
    if isinstance(value, Mapping) and _takes_table(annotation):
        for key, text in value.items():
            _require_type(f"{setting}.{key}", text, str)
    if element is not None or not _fits(value, annotation):
        raise ConfigError(setting, was=_shown(value), allowed=describe(annotation, value))


def _fits(value: Any, annotation: Any) -> bool:
    accepted = typing.get_args(annotation) or (annotation,)
    if dataclasses.is_dataclass(accepted[0]):
        return isinstance(value, accepted[0])  # type: ignore[arg-type]  # a dataclass type, as just seen
    if isinstance(value, Mapping):
        return _takes_table(annotation) and all(type(key) is str for key in value)
    return type(value) in accepted


def _takes_table(annotation: Any) -> bool:
    return any(typing.get_origin(part) is Mapping for part in (annotation, *typing.get_args(annotation)))


def _shown(value: Any) -> str:
    if isinstance(value, (str, int, float, bool)):
        return repr(value)[:80]
    return f"a {type(value).__name__}"
