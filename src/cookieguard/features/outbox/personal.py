"""Copies and erases a customer's mail data: decisions on marketing lists, and notices that wait to be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from cookieguard.features.feature import Place
from cookieguard.features.outbox.lists import NAMESPACE, names_of
from cookieguard.features.outbox.outbox import FILE_ENDING, outbox_opener
from cookieguard.features.outbox.recipients import Recipients, forget_customer
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener


class PersonalMail:
    """Copies and erases the data, also of lists and runs that the settings no longer name.

    Raises StoreDown and OutboxDown.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._at = place.config.store, place.state

    def copy(self, number: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        place = self._place
        lists = place.config.mail.lists
        with closing(store_opener(place.config, place.state, environ=place.environ)()) as store:
            names = names_of(store, number)
            names.sort(key=lambda name: lists.index(name) if name in lists else len(lists))
            found = [(name, store.read(NAMESPACE, f"{name}:{number}")) for name in names]
        return [
            (f"list {name}", {"JSON": json.loads(kept.value)}) for name, kept in found if kept is not None
        ]

    def erase(self, number: str, now: datetime) -> None:
        place = self._place
        with closing(store_opener(place.config, place.state, environ=place.environ)()) as store:
            for name in names_of(store, number):
                store.erase(NAMESPACE, f"{name}:{number}")
        file = store_file(*self._at, FILE_ENDING, environ=place.environ)
        if file is None or file.exists():
            keyring = load_keyring(StateDirectory(place.state), place.config.keys, environ=place.environ)
            with closing(outbox_opener(*self._at, environ=place.environ)()) as outbox:
                forget_customer(outbox, number, Recipients(keyring))


personal_of = PersonalMail
