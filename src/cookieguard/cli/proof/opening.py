"""How commands open the consent log: with the keys of its records, or alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from cookieguard.cli.options import keyring_place, read_place
from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.records.store.open import Place, open_log_store, open_stores, place_of
from cookieguard.features.records.store.protocol import LogDown, LogStore, Stores
from cookieguard.features.records.text_check import verify_named_texts
from cookieguard.features.records.values.verification import Report

Opened = TypeVar("Opened", Stores, LogStore)


def log_of(shop: Config, keyring: Path | None = None) -> AbstractContextManager[Stores]:
    """Open the shop's log, which must be there; raises ConfigError."""
    return _opened(partial(open_stores, log_place(shop, keyring), make=False))


def log_place(shop: Config, keyring: Path | None) -> Place:
    """Return where the log is, and the keyring that opens it."""
    place = place_of(shop, Path(shop.state_dir).absolute(), environ=os.environ)
    return place._replace(keyring=lambda: read_place(keyring_place(shop, keyring)))


def log_alone(place: Place) -> AbstractContextManager[LogStore]:
    """Open a log without the keys of its records; raises ConfigError."""
    return _opened(partial(open_log_store, place.log, make=False))


def verify_records(place: Place, report: Report) -> str:
    """Verify what records name; return why they cannot be opened, which is no fault of the log."""
    try:
        with closing(open_stores(place, make=False)) as stores:
            verify_named_texts(stores, report)
    except (ConfigError, LogDown) as error:
        return f"records are NOT opened, so the texts that they name are not checked ({error})"
    return ""


@contextmanager
def _opened(open_: Callable[[], Opened]) -> Iterator[Opened]:
    try:
        opened = open_()
    except LogDown as error:
        was = f"not usable: the log cannot be opened ({error})"
        raise ConfigError("proof.url", was=was, allowed="a log to which the shop has written") from error
    try:
        yield opened
    except LogDown as error:
        raise ConfigError(
            "proof.url", was=f"not usable: the log cannot be read ({error})", allowed="another try"
        ) from error
    finally:
        opened.close()
