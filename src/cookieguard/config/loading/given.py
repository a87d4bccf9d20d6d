"""The configuration of a guard, from what its caller gave."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cookieguard.config import Config, Vendor, load_config
from cookieguard.config.loading.trial import on_trial
from cookieguard.errors import ConfigError


def read_config(
    config: Config | str | os.PathLike[str] | None, vendors: Iterable[str | Vendor] = ()
) -> Config:
    """Return the Config that was given, or the one in the TOML file at a path, or the defaults; with more vendors."""
    if isinstance(vendors, str):
        raise ConfigError("vendors", was=repr(vendors), allowed=f"a list of names, such as [{vendors!r}]")
    more = tuple(Vendor(catalogue=one) if isinstance(one, str) else one for one in vendors)
    read = on_trial(_read_config(config))
    return replace(read, vendors=(*read.vendors, *more)) if more else read


def _read_config(config: Config | str | os.PathLike[str] | None) -> Config:
    if config is None:
        return Config()
    if isinstance(config, Config):
        return config
    if isinstance(config, (str, os.PathLike)):
        return load_config(Path(config))
    allowed = "a Config, the path of a TOML file, or None"
    raise ConfigError("config", was=f"a {type(config).__name__}", allowed=allowed)
