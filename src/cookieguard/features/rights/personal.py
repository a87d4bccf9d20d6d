"""The terms of one customer alone, for their copy and their erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from cookieguard.features.feature import Place
from cookieguard.features.rights.own_terms import COPY, TermsCopy, forget_own_terms, read_own_terms
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener


class PersonalTerms:
    """Reach the terms of a customer. Raises StoreDown."""

    def __init__(self, place: Place) -> None:
        self._state = StateDirectory(place.state)
        self._keyring = load_keyring(self._state, place.config.keys, environ=place.environ)
        self._open = store_opener(place.config, place.state, environ=place.environ, keyring=self._keyring)

    def copy(self, number: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        with closing(self._open()) as store:
            own = read_own_terms(store).get(number)
        return [("own terms", {"JSON": list(map(list, own))})] if own else []

    def erase(self, number: str, now: datetime) -> None:
        with closing(self._open()) as store:
            left = forget_own_terms(store, number)
        if self._state.read(COPY) is not None:
            TermsCopy(self._state, self._keyring).write(left)


personal_of = PersonalTerms
