"""Finding and opening the stores of the consent log: files or servers, by the settings; and the keys that sign it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.records.anchors import LocalAnchor, Witness
from cookieguard.features.records.erasure_journal import Erasures, apply_erasures
from cookieguard.features.records.store.protocol import (
    LogDown,
    LogNotMade,
    LogStore,
    Stores,
    SubjectStore,
)
from cookieguard.features.records.values.notes import NoteKey, Signer
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import find_keyring
from cookieguard.storage.open import is_server, path_in, require_driver, url_in
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import making_once

LOG_FILE, SUBJECTS_FILE = "log.db", "subjects.db"
SIGNING_USE = b"consent log"
ANYWHERE = "cookieguard.invalid"  # host in the log's name if the settings name no origin (RFC 6761)


class Place(NamedTuple):
    """Name where the log, the keys of its subjects, and the journal of erasures are."""

    log: str
    """A URL of PostgreSQL, or the path of a file."""
    subjects: str
    erasures: Erasures
    keyring: Callable[[], Keyring]
    """Called when the first key of a subject is needed."""

    def __repr__(self) -> str:
        return f"Place(journal={self.erasures.journal.path!r})"  # a URL may hold a password

    @property
    def log_file(self) -> Path | None:
        """Return the log's file, None if it is in a server."""
        return None if is_server(self.log) else Path(self.log)


def place_of(config: Config, state_dir: Path, *, environ: Mapping[str, str]) -> Place:
    """Return the place that settings and environment name. Raises ConfigError, which never shows a URL."""
    settings, store = config.proof, config.store
    _, url = url_in("proof", settings.environment, settings.url, environ)
    if not url and store.enabled:
        _, store_url = url_in("store", store.environment, store.url, environ)
        url = store_url if is_server(store_url) else ""
    log = url if is_server(url) else str(path_in(url, state_dir / LOG_FILE))
    of_subjects = settings.subjects_environment, settings.subjects_url
    _, url = url_in("proof", *of_subjects, environ, prefix="subjects_")
    url = url or (log if is_server(log) else "")
    subjects = url if is_server(url) else str(path_in(url, state_dir / SUBJECTS_FILE))
    if is_server(log) or is_server(subjects):
        require_driver("proof.url")
    erasures = Erasures.of(config, state_dir)
    return Place(log, subjects, erasures, partial(find_keyring, state_dir, config.keys, environ=environ))


def open_stores(place: Place, *, make: bool = True) -> Stores:
    """Open both stores. Before they are used, erased keys that a restored copy brought back are destroyed again."""
    subjects = open_subject_store(place, make=make)  # first: if others see a log's file, its keys exist
    try:
        log = open_log_store(place.log, make=make)
        try:
            apply_erasures(subjects, place.erasures)
        except BaseException:
            log.close()
            raise
    except BaseException:
        subjects.close()
        raise
    return Stores(log, subjects, log if place.log == place.subjects and is_server(place.log) else None)


@contextmanager
def stores_if_made(
    config: Config, state_dir: Path, *, environ: Mapping[str, str], make: bool = False
) -> Iterator[Stores | None]:
    """Open the shop's log, even if it was switched off; yield None if no worker has made it yet. Raises LogDown.

    With `make`, a missing log is made, unless it is switched off.
    """
    place = place_of(config, state_dir, environ=environ)
    file = place.log_file
    makes = config.proof.enabled and (make or file is None)  # a server may not have the tables yet
    try:
        if not makes and file is not None and not file.exists():
            raise LogNotMade
        opened = open_stores(place, make=makes)
    except LogNotMade:
        yield None
        return
    with closing(opened) as stores:
        yield stores


def seal_keys_anew(config: Config, state_dir: Path, keyring: Keyring, *, environ: Mapping[str, str]) -> None:
    """Seal the secrets that wrap the records' keys with the keyring's current key; raises LogDown."""
    place = place_of(config, state_dir, environ=environ)
    if is_server(place.subjects) or Path(place.subjects).exists():
        with closing(open_subject_store(place, make=is_server(place.subjects))) as subjects:
            subjects.seal_anew(keyring)


def has_log(config: Config, state_dir: Path, *, environ: Mapping[str, str]) -> bool:
    """Return whether a worker has opened the log before. A log in a server outlives the state directory's keyring."""
    try:
        with stores_if_made(config, state_dir, environ=environ) as stores:
            return stores is not None and stores.log.fact("origin") is not None
    except LogDown as error:
        was = f"the place of a log that cannot be opened ({error})"
        raise ConfigError("proof.url", was=was, allowed="a log that answers") from error


def open_log(
    config: Config, state: StateDirectory, keyring: Keyring, *, environ: Mapping[str, str]
) -> LogWriter | None:
    """Return a worker's log, None if it is switched off. Raises ConfigError."""
    if not config.proof.enabled:
        return None
    place = place_of(config, state.path, environ=environ)._replace(keyring=lambda: keyring)
    witness = Witness(config.proof.witness) if config.proof.witness else None
    anchor = LocalAnchor(state.path, witness)
    file = place.log_file
    is_made = (lambda: True) if file is None else file.exists
    signer = partial(signer_of, keyring)
    return LogWriter(
        making_once(partial(open_stores, place)), signer, name_of(config), anchor=anchor, is_made=is_made
    )


def name_of(config: Config) -> str:
    """Return the name for a new log: the address where it is published, without the scheme."""
    if config.proof.name:
        return config.proof.name
    host = config.origins[0].partition("://")[2] if config.origins else ANYWHERE
    return f"{host}{config.prefix}log"


def signer_of(keyring: Keyring, name: str) -> Signer:
    """Return the signer of checkpoints: the keyring's Ed25519 pair, else a key derived from its signing secret."""
    pair = keyring.signing_pair
    if pair is not None:
        return Signer(name, pair.seed)
    return Signer(name, keyring.derive(keyring.signing, SIGNING_USE))


def trusted_keys(keyring: Keyring, name: str) -> list[NoteKey]:
    """Return every public key that this keyring could sign checkpoints with."""
    seeds = [keyring.derive(key, SIGNING_USE) for key in map(keyring.get, keyring.ids) if key is not None]
    seeds += [pair.seed for pair in map(keyring.pair, keyring.ids) if pair is not None]
    return [Signer(name, seed).key for seed in seeds]


def open_log_store(place: str, *, make: bool) -> LogStore:
    """Open the store of the log's rows; raises LogDown."""
    if not is_server(place):
        return LogStore(place, make=make)
    from cookieguard.features.records.store.postgres_log import PostgresLog

    return PostgresLog(place, make=make)


def open_subject_store(place: Place, *, make: bool) -> SubjectStore:
    """Open the store of keys without applying the journal of erasures; raises LogDown."""
    if not is_server(place.subjects):
        return SubjectStore(place.subjects, place.keyring, make=make)
    from cookieguard.features.records.store.postgres_log import PostgresSubjects

    return PostgresSubjects(place.subjects, place.keyring, make=make)
