"""The configuration of a guard, from what its caller gave; an app that is only tried keeps its state in a folder that
goes away, whatever is configured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cookieguard.config import Config, KeySettings, Vendor, load_config
from cookieguard.errors import ConfigError

NEVER_SET = "COOKIEGUARD_TRIAL"  # the name of an environment variable that holds no URL and no key
_folders: list[Path] = []


@contextmanager
def state_kept_in(folder: Path) -> Iterator[None]:
    """Have every app of this process that is guarded from now on keep its state in a folder."""
    _folders.append(folder)
    try:
        yield
    finally:
        _folders.remove(folder)


@contextmanager
def tried() -> Iterator[Path]:
    """Give a folder, in which every app that is guarded meanwhile keeps its state; it goes away. Raises ConfigError."""
    try:
        made = TemporaryDirectory(prefix="cookieguard-trial-", ignore_cleanup_errors=True)
    except OSError as error:
        allowed = "a writable folder, because an app that is only tried keeps its state there"
        raise ConfigError("TMPDIR", was=f"unusable ({error.strerror})", allowed=allowed) from error
    with made as folder, state_kept_in(Path(folder, "state")):
        yield Path(folder)


def on_trial(config: Config) -> Config:
    """Return the configuration, during a trial without every place of the shop's that is written to."""
    return set_apart(config, _folders[-1]) if _folders else config


def set_apart(config: Config, folder: Path) -> Config:
    """Return the configuration of a shop that keeps all in a folder: no key, database, journal or relay of the shop's.

    Nobody outside is told of its consent log, which has the shop's name and is another one.
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
