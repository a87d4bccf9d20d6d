"""Read the configuration that a guard was given; in a trial, such as a scan, its state goes to a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cookieguard.config import Config, KeySettings, Vendor, load_config
from cookieguard.errors import ConfigError

NEVER_SET = "COOKIEGUARD_TRIAL"  # an environment variable that is never set, so it supplies no URL and no key
_folders: list[Path] = []  # where the guards of trials keep their state, the innermost trial last


@contextmanager
def tried() -> Iterator[Path]:
    """Yield a temporary folder that has the state of every guard created within the block. Raises ConfigError."""
    try:
        made = TemporaryDirectory(prefix="cookieguard-trial-", ignore_cleanup_errors=True)
    except OSError as error:
        allowed = "a writable folder, because an app that is only tried keeps its state there"
        raise ConfigError("TMPDIR", was=f"unusable ({error.strerror})", allowed=allowed) from error
    with made as folder:
        _folders.append(Path(folder, "state"))
        try:
            yield Path(folder)
        finally:
            _folders.remove(Path(folder, "state"))


def set_apart(config: Config, folder: Path) -> Config:
    """Return the configuration with all state in a folder, and without the shop's keys, databases, journal and relay.

    Its consent log has the shop's name but is another log, so no witness or time stamp authority receives it.
    """
    return replace(
        config,
        state_dir=str(folder),
        runtime_dir="",
        keys=KeySettings(environment=NEVER_SET),
        stats=replace(config.stats, url="", environment=NEVER_SET),
        store=replace(config.store, url="", environment=NEVER_SET),
        proof=replace(
            config.proof,
            url="",
            environment=NEVER_SET,
            subjects_url="",
            subjects_environment=NEVER_SET,
            erasures="",
            witness="",
            timestamp="",
        ),
        log=replace(config.log, directory=""),
        vault=replace(config.vault, private_dir=""),
        mail=replace(config.mail, url="", environment=NEVER_SET),
    )


def read_config(
    config: Config | str | os.PathLike[str] | None, vendors: Iterable[str | Vendor] = ()
) -> Config:
    """Return the given Config, that of the TOML file at a path, or the defaults; with these vendors added."""
    if isinstance(vendors, str):
        raise ConfigError("vendors", was=repr(vendors), allowed=f"a list of names, such as [{vendors!r}]")
    more = tuple(Vendor(catalogue=vendor) if isinstance(vendor, str) else vendor for vendor in vendors)
    read = _read_config(config)
    read = set_apart(read, _folders[-1]) if _folders else read
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
