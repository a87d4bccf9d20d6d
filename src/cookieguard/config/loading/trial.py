"""Where an app that somebody only tries keeps what it writes: in a folder that goes away, whatever is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cookieguard.config.root import Config, KeySettings
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
