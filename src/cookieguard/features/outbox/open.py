"""Which outbox belongs to a shop: the one in its store's database, or in a file beside the store's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from cookieguard.config.store import StoreSettings
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.storage.store.open import store_file, store_url

FILE_ENDING = "-outbox.db"


def outbox_file(settings: StoreSettings, state_dir: Path, *, environ: Mapping[str, str]) -> Path | None:
    """Return the file of the outbox; None where it is in a database."""
    file = store_file(settings, state_dir, environ=environ)
    return None if file is None else file.with_name(file.stem + FILE_ENDING)


def outbox_opener(
    settings: StoreSettings, state_dir: Path, *, environ: Mapping[str, str]
) -> Callable[[], Outbox]:
    """Return what opens the outbox. Raises ConfigError, never showing the URL."""
    file = outbox_file(settings, state_dir, environ=environ)
    return partial(Outbox, store_url(settings, environ=environ) if file is None else file)
