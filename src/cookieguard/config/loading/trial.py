"""Where an app that somebody only tries keeps what it writes: in a folder that goes away, whatever is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cookieguard.config.root import Config

NEVER_SET = "COOKIEGUARD_TRIAL"  # the name of an environment variable that holds no URL
_folders: list[Path] = []


@contextmanager
def state_kept_in(folder: Path) -> Iterator[None]:
    """Have every app of this process that is guarded from now on keep its state in a folder."""
    _folders.append(folder)
    try:
        yield
    finally:
        _folders.remove(folder)


def on_trial(config: Config) -> Config:
    """Return the configuration, during a trial without every place of the shop's that is written to."""
    if not _folders:
        return config
    return replace(
        config,
        state_dir=str(_folders[-1]),
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
        ),
        log=replace(config.log, directory=""),
        vault=replace(config.vault, private_dir=""),
    )
