"""Read the configuration from TOML: the same tree as the dataclasses. An unknown setting is an error."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cookieguard.config.cookies import CookieSpec
from cookieguard.config.loading.types import describe, element_of, field_types
from cookieguard.config.purposes import Vendor
from cookieguard.config.root import Config
from cookieguard.errors import ConfigError

LIST = re.compile(r"^vendors[ \t]*=[ \t]*\[", re.MULTILINE)
TABLE = re.compile(r"^\[\[[ \t]*vendors[ \t]*\]\]", re.MULTILINE)
# The field that a text sets in place of a table: `vendors = ["stripe"]` is `{catalogue = "stripe"}`.
BY_NAME: Mapping[Any, str] = {Vendor: "catalogue"}
WITNESS_INSTEAD = "proof.witness, a directory or a command, or proof.timestamp"
INSTEAD = {  # removed settings, and those that replace them
    "proof.witness_url": WITNESS_INSTEAD,
    "proof.witness_key": WITNESS_INSTEAD,
}


def load_config(path: str | Path) -> Config:
    """Return the Config of a TOML file; raises ConfigError that names the file or the dotted setting."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")  # Windows editors add a BOM
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(
            f"config file {path}", was=f"unreadable ({reason})", allowed="a TOML file"
        ) from error
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _two_forms(text) or ConfigError(
            f"config file {path}", was=f"not TOML ({error})", allowed="valid TOML"
        ) from error
    return config_from_mapping(settings)


def _two_forms(text: str) -> ConfigError | None:
    """Return the error for two lists of vendors, or a list and tables, such as after pasting: TOML allows neither."""
    lists, tables = (
        [text.count("\n", 0, match.start()) + 1 for match in form.finditer(text)] for form in (LIST, TABLE)
    )
    if not lists or len(lists) + len(tables) < 2:
        return None
    if len(lists) > 1:
        was = f"a list in line {lists[0]} and another in line {lists[1]}"
        return ConfigError("vendors", was=was, allowed="one list with the entries of both")
    was = f"a list in line {lists[0]} and a table in line {tables[0]}"
    allowed = 'only one of them; write the table into the list as { name = "...", purpose = "...", hosts = ["..."] }'
    return ConfigError("vendors", was=was, allowed=allowed)


def config_from_mapping(settings: Mapping[str, Any]) -> Config:
    """Return the Config of a nested mapping, as TOML gives it."""
    config: Config = _section(Config, settings, "", base=None)
    return config


def with_lines(config: Config, text: str) -> Config:
    """Return the configuration with these lines of TOML, which change settings or add vendors. Raises ConfigError."""
    alone: Config = _section(Config, tomllib.loads(text), "", base=dataclasses.replace(config, vendors=()))
    known = {vendor.catalogue for vendor in config.vendors if vendor.catalogue}  # a list names them again
    added = [vendor for vendor in alone.vendors if vendor.catalogue not in known]
    if alone.vendors and not added:
        allowed = "a vendor that is not declared yet; add the host to the `hosts` of the one that is"
        raise ConfigError("vendors", was=", ".join(vendor.name for vendor in alone.vendors), allowed=allowed)
    return dataclasses.replace(alone, vendors=(*config.vendors, *added))


def _section(section: Any, settings: Mapping[str, Any], where: str, *, base: Any) -> Any:
    """Return one dataclass; `base`, the section's default, has the values that the table leaves out."""
    types = field_types(section)
    for name in settings:
        if (removed := _dotted(where, name)) in INSTEAD:
            raise ConfigError(removed, was="a setting that was removed", allowed=INSTEAD[removed])
        if name not in types:
            raise _unknown(_dotted(where, name), name, types)
    fields = {field.name: field for field in dataclasses.fields(section)}
    values = {
        name: _value(types[name], value, _dotted(where, name), base=_default(fields[name], base))
        for name, value in settings.items()
    }
    if base is not None:
        return _replaced(base, values, where)
    for name, field in fields.items():
        is_required = field.default is field.default_factory is dataclasses.MISSING
        if is_required and name not in values:
            raise ConfigError(_dotted(where, name), was="missing", allowed=describe(types[name]))
    return section(**values)


def _replaced(base: Any, values: Mapping[str, Any], where: str) -> Any:
    try:
        return dataclasses.replace(base, **values)
    except ConfigError as error:
        if not isinstance(base, CookieSpec):
            raise
        # The error of a cookie has its name; replace that with its table, which the owner finds in the file.
        setting = _dotted(where, error.setting.rpartition(".")[2])
        raise ConfigError(setting, was=error.was, allowed=error.allowed) from error


def _value(annotation: Any, value: Any, where: str, *, base: Any) -> Any:
    if dataclasses.is_dataclass(annotation):
        return _table(annotation, value, where, base=base)
    element = element_of(annotation)
    if element is None or not isinstance(value, list):
        return value
    if dataclasses.is_dataclass(element):
        return tuple(_table(element, row, f"{where}[{index}]", base=None) for index, row in enumerate(value))
    return tuple(value)


def _table(section: Any, value: Any, where: str, *, base: Any) -> Any:
    if isinstance(value, str) and section in BY_NAME:
        value = {BY_NAME[section]: value}
    if not isinstance(value, dict):
        raise ConfigError(where, was=repr(value)[:80], allowed="a table")
    return _section(section, value, where, base=base)


def _default(field: dataclasses.Field[Any], base: Any) -> Any:
    if base is not None:
        return getattr(base, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None


def _unknown(where: str, name: str, types: Mapping[str, Any]) -> ConfigError:
    near = difflib.get_close_matches(name, types, n=1)
    names = ", ".join(near + sorted(set(types) - set(near)))
    if "." in where and _is_of_root(name):  # in TOML, lines below a [table] belong to it
        names = f"{name} above the first [table] of the file, and here {names}"
    return ConfigError(where, was="not a known setting", allowed=names)


def _is_of_root(name: str) -> bool:
    return name in (types := field_types(Config)) and not dataclasses.is_dataclass(types[name])


def _dotted(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
