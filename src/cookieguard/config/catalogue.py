"""The catalogue of known vendors, with their hosts, cookies and purposes, read from static/vendors/.

Each file there has one category and each table one vendor. Parsing all of it as TOML takes 70 ms, and most shops use a
handful of vendors. So only hosts and paths are indexed at first, and a table is parsed when its vendor is needed.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from cookieguard.errors import ConfigError

SHOP, VENDOR = "shop", "vendor"
NEAREST = 3  # similar names that the error for an unknown name suggests
# The uses of a cookie; the language files translate them.
USES = {
    "ads": "chooses or counts advertising",
    "campaign": "remembers where the visitor came from",
    "chat": "keeps a conversation together",
    "click": "remembers the advertisement that was clicked",
    "consent": "remembers a choice about cookies",
    "cart": "keeps what is being bought",
    "experiment": "keeps a visitor in the same variant of a test",
    "fraud": "tells customers from fraudsters",
    "limit": "limits how often something is sent or shown",
    "login": "recognises who is logged in",
    "player": "remembers how a film or sound was played",
    "recording": "marks a visit that is recorded",
    "routing": "keeps a visitor on the same server",
    "security": "tells people from programs and keeps off attacks",
    "session": "holds the pages of one visit together",
    "settings": "remembers settings such as a language",
    "storage": "tries out whether something can be stored",
    "visitor": "recognises the same browser again",
}
KINDS = ("cookie", "local storage", "session storage", "database")
# The form of our own files: the head of a table has its own line, and a list of plain strings begins on its own line.
HEAD = re.compile(r"^\[([a-z0-9-]+)\]$", re.M)
LISTS = {name: f"\n{name} = [" for name in ("hosts", "proxied")}
STRING = re.compile(r'"([^"]*)"')
DELIVERS = ("cdn", "images")  # categories whose hosts may well be the shop's own


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredName:
    """Describe one cookie or storage key of a vendor; `*` at the end of the name matches any ending."""

    name: str
    use: str
    """A key of USES: what it does."""
    life: str = ""
    """`session`, `persistent` (until the user clears it), or a number and a unit; empty if no source says it."""
    kind: str = "cookie"
    """One of KINDS."""
    on: str = SHOP
    """Where it is stored: on the `shop`'s site, or on the `vendor`'s own hosts, where the shop cannot remove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePage:
    """Name a public page that supports facts of an entry."""

    page: str
    of: tuple[str, ...] = ()
    """The facts that it supports: `hosts`, `cookies`, `owner`."""
    read: date | None = None
    """The day on which the facts were compared with a stored copy of the page; None if they were not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold the publicly known facts about one vendor."""

    id: str
    """Its name in `vendors = [...]`."""
    name: str
    """Its name as visitors read it."""
    category: str
    """The name of its file: analytics, ads, video, ..."""
    owner: str
    country: str
    """The owner's country: ISO 3166, two letters; empty if it is uncertain."""
    purpose: str
    """Its purpose, unless the shop sets another one."""
    shop_purpose: str = ""
    """Its purpose under the preset `shop`, if that differs."""
    hosts: tuple[str, ...]
    """Its hosts, in the form of `vendors.hosts`."""
    shared_hosts: tuple[str, ...] = ()
    """Hosts of another entry that it also needs: they count as its own if the shop does not use that entry."""
    cookies: tuple[StoredName, ...] = ()
    privacy_url: str = ""
    proxied: tuple[str, ...] = ()
    """Ends of paths that identify it on the shop's own hosts; `?name=start` is a query parameter it always has."""
    necessary_when: str = ""
    """The condition for the purpose `necessary`; empty if it is never necessary."""
    sources: tuple[SourcePage, ...] = ()

    def purpose_in(self, preset: str) -> str:
        """Return its purpose under a preset."""
        return self.shop_purpose if preset == "shop" and self.shop_purpose else self.purpose

    @property
    def needed_hosts(self) -> tuple[str, ...]:
        """Return all hosts that it needs, including those that it shares with another entry."""
        return (*self.hosts, *self.shared_hosts)

    @property
    def on_shop(self) -> tuple[str, ...]:
        """Return the names and patterns of its cookies and storage keys on the shop's own site."""
        return tuple(dict.fromkeys(cookie.name for cookie in self.cookies if cookie.on == SHOP))

    @property
    def is_read(self) -> bool:
        """Return whether some of its facts were compared with their source."""
        return any(source.read for source in self.sources)


class Catalogue:
    """Find entries by id, host, path or cookie. Owns the texts of the tables, and the entries parsed so far."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take the text of each category's file."""
        self._tables: dict[str, tuple[str, str]] = {}
        self._read: dict[str, Entry] = {}
        self._exact: dict[str, list[tuple[str, str]]] = {}
        self._wild: dict[str, list[tuple[str, str]]] = {}
        self._proxied: dict[str, list[tuple[str, str, str]]] = {}
        for category, text in texts.items():
            _, *parts = HEAD.split(text)
            for id_, table in zip(parts[::2], parts[1::2], strict=True):
                self._tables[id_] = (category, table)
                self._index(id_, table)

    def _index(self, id_: str, table: str) -> None:
        for pattern in _strings(table, "hosts"):
            host, slash, path = pattern.partition("/")
            places = self._wild if host.startswith("*.") else self._exact
            places.setdefault(host.removeprefix("*."), []).append((slash + path, id_))
        for pattern in _strings(table, "proxied"):
            path, _, parameter = pattern.partition("?")
            self._proxied.setdefault(_file_of(path), []).append((path, parameter, id_))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return every entry, sorted by category and id."""
        return tuple(map(self._entry, self._tables))

    def _entry(self, id_: str) -> Entry:
        entry = self._read.get(id_)
        if entry is None:
            category, table = self._tables[id_]
            entry = self._read[id_] = entry_of(id_, tomllib.loads(table), category=category)
        return entry

    @property
    def proxied_names(self) -> frozenset[str]:
        """Return the last segments of all paths that `by_path` knows; callers skip every other path."""
        return frozenset(self._proxied)

    def find(self, name: str) -> Entry | None:
        """Return the entry of this id, None if there is none."""
        return self._entry(name) if name in self._tables else None

    def entry(self, name: str, *, setting: str = "vendors") -> Entry:
        """Return the entry of this id; the ConfigError for an unknown id suggests the nearest ones."""
        found = self.find(name)
        if found is None:
            near = ", ".join(repr(id_) for id_ in self.nearest(name))
            raise ConfigError(
                setting, was=repr(name), allowed=f"a vendor in the catalogue; the nearest are {near}"
            )
        return found

    def nearest(self, name: str) -> list[str]:
        """Return the ids most similar to a name, best first; ids and the names that visitors read are compared."""
        wanted = name.lower()

        def likeness(entry: Entry) -> float:
            words = entry.id.split("-")
            forms = (entry.id, entry.name.lower().replace(" ", "-"), "".join(word[0] for word in words))
            return max(_likeness(wanted, form) for form in forms)

        best = sorted(self.entries, key=lambda entry: (-likeness(entry), entry.id))
        return [entry.id for entry in best[:NEAREST]]

    def by_host(self, host: str, path: str = "") -> Entry | None:
        """Return the entry that has this host or a domain above it; None if no entry does, or if several share it.

        `path` decides between entries that share a host, such as www.google.com/recaptcha/ and www.google.com/maps/,
        and finds the script of one entry on another's host, such as www.googletagmanager.com/gtag/js.
        """
        loaded = self.by_path(path)
        if loaded is not None and any(_covers(pattern, host) for pattern in loaded.shared_hosts):
            return loaded
        found = self.candidates(host)
        if len(found) == 1 and not (path and found[0][0]):
            return found[0][1]
        fits = [(len(start), entry) for start, entry in found if _is_under(path, start)]
        return max(fits, key=lambda fit: fit[0])[1] if fits else None

    def in_preset(self, preset: str) -> Callable[[str, str], Entry | None]:
        """Return `by_host` with the purposes of a preset."""

        def by_host(host: str, path: str) -> Entry | None:
            entry = self.by_host(host, path)
            return None if entry is None else replace(entry, purpose=entry.purpose_in(preset))

        return by_host

    def sharing(self, host: str) -> tuple[Entry, ...]:
        """Return all entries that have this host: one, or several that share it by path."""
        return tuple(dict.fromkeys(entry for _, entry in self.candidates(host)))

    def below(self, domain: str) -> tuple[Entry, ...]:
        """Return all entries with a host below a domain."""
        end = f".{domain}"
        found = [
            id_
            for table in (self._exact, self._wild)
            for host, owners in table.items()
            if host.endswith(end)
            for path, id_ in owners
            if not path
        ]
        return tuple(map(self._entry, dict.fromkeys(found)))

    def by_path(self, path: str, query: str | None = None) -> Entry | None:
        """Return the entry whose server-side container or proxy answers at this path of the shop; None for the shop.

        `query` has no question mark; if it is None, it is unknown, and the path alone decides.
        """
        given = [] if query is None else query.split("&")
        for end, parameter, id_ in self._proxied.get(_file_of(path), ()):
            if path.endswith(end) and (query is None or any(pair.startswith(parameter) for pair in given)):
                return self._entry(id_)
        return None

    def by_cookie(self, name: str) -> Entry | None:
        """Return the entry that stores this cookie on the shop's site, by name or pattern; None if no entry does."""
        bare = name.removesuffix("*")
        for known, entry in self._on_shop:
            if known == name or (known.endswith("*") and bare.startswith(known[:-1])):
                return entry
        return None

    @cached_property
    def _on_shop(self) -> tuple[tuple[str, Entry], ...]:
        """Return (name, entry) for each name on the shop's site; a starting guard looks up every declared cookie."""
        return tuple((name, entry) for entry in self.entries for name in entry.on_shop)

    def candidates(self, host: str) -> list[tuple[str, Entry]]:
        """Return (path, entry) for all entries that have this host or a domain above it."""
        host = host.lower().rstrip(".")
        found = self._exact.get(host)
        while not found and host:
            found = self._wild.get(host)
            host = host.partition(".")[2]
        return [(path, self._entry(id_)) for path, id_ in found or ()]


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """Return the catalogue that ships with cookieguard, opened once for each process."""
    folder = files("cookieguard.static").joinpath("vendors")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return Catalogue({name.removesuffix(".toml"): folder.joinpath(name).read_text("utf-8") for name in names})


def entry_of(id_: str, facts: Mapping[str, Any], *, category: str) -> Entry:
    """Return the entry of a table; raises TypeError for an unknown field."""
    lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    lists["cookies"] = tuple(StoredName(**table) for table in lists.get("cookies", ()))
    lists["sources"] = tuple(
        SourcePage(**(table | {"of": tuple(table.get("of", ()))})) for table in lists.get("sources", ())
    )
    return Entry(**(dict(facts) | lists), id=id_, category=category)


def _likeness(wanted: str, form: str) -> float:
    whole = difflib.SequenceMatcher(None, wanted, form).ratio()
    return max(whole, 0.9 if wanted and (form.startswith(wanted) or wanted in form.split("-")) else 0.0)


def _strings(table: str, name: str) -> list[str]:
    """Return the strings of a list without reading the rest of its table."""
    start = table.find(LISTS[name])
    return STRING.findall(table, start, table.index("]", start)) if start >= 0 else []


def _covers(pattern: str, host: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _file_of(path: str) -> str:
    return path[path.rfind("/") + 1 :]


def _is_under(path: str, start: str) -> bool:
    return not start or path == start or (start.endswith("/") and path.startswith(start))
