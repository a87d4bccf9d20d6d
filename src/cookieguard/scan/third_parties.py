"""Who was seen, one entry for each third party: matched to the catalogue, with purpose, hosts and what it kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from cookieguard.config.catalogue import Entry
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Site, look_alike, site_of
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.consent.declarations import may_be_own
from cookieguard.html import Url
from cookieguard.scan.observations import ACCEPTED, LEAKS, NAMED, Contact, Need, Scan, StorageEntry
from cookieguard.scan.plan import Parties

# What a host nobody knows is for, by what it is called and what it is loaded as. A guess, and the draft says so.
STATISTICS = re.compile(
    r"(^|[./_-])(analytics|metrics?|stats?|matomo|piwik|plausible|umami|count(er)?)([./_-]|\d|$)"
)
# What a page takes along with a film or a map that it shows.
FRAMES = ("iframe", "object", "embed")
BESIDE_FRAMES = (*FRAMES, "link", "stylesheet", "style", "font")
LETTERING = re.compile(r"\.(woff2?|ttf|otf)$|(^|[./_-])fonts?([./_-]|\d|$)")
FILMS = re.compile(r"(^|[./_-])(videos?|maps?|player|embed)([./_-]|\d|$)")


LookUp = Callable[[str, str], Entry | None]
"""Return whose host this is, by the path too where several share it."""


def nobody_known(_: str, __: str) -> Entry | None:
    """Know no vendor."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Hold all that was seen of one third party."""

    name: str
    purpose: str
    why: str
    """Where the purpose is from: `declared`, `catalogue`, or what a guess is made by."""
    declared: str = ""
    """The vendor of the configuration that its hosts belong to; empty where nobody declares one of them."""
    known: Entry | None = None
    hosts: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    """Those of its hosts that no vendor of the configuration covers."""
    contacts: tuple[Contact, ...] = ()
    kept: tuple[StorageEntry, ...] = ()
    needs: tuple[Need, ...] = ()
    may_be_own: str = ""
    """Why it may be the shop's own; empty where nothing says so."""

    @property
    def leaks(self) -> tuple[Contact, ...]:
        """Return the contacts that no consent allowed."""
        if self.purpose == NECESSARY and self.declared:
            return ()
        return tuple(one for one in self.contacts if one.how in LEAKS and one.state != ACCEPTED)

    @property
    def is_only_named(self) -> bool:
        """Return whether scripts name it and nothing was seen to ask it."""
        return all(one.how == NAMED for one in self.contacts)

    @property
    def pages(self) -> tuple[str, ...]:
        """Return the pages it was seen on."""
        return tuple(dict.fromkeys(one.page for one in self.contacts))

    @property
    def told(self) -> tuple[str, ...]:
        """Return what it is told of the pages."""
        return tuple(dict.fromkeys(what for one in self.contacts for what in one.told))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of what it kept on the shop's own site."""
        return tuple(dict.fromkeys(one.name for one in self.kept))


def parties_of(scan: Scan, parties: Parties, look_up: LookUp = nobody_known) -> list[Party]:
    """Bring together what was seen, most contacts first."""
    groups: dict[tuple[str, str], list[Contact]] = {}
    for contact in scan.contacts:
        declared = parties.verdict(_url(contact)).vendor or ""
        known = look_up(contact.host, _url(contact).path)
        name = declared or (known.name if known else own_name(contact.host))
        groups.setdefault((declared, name), []).append(contact)
    found = [_party(key, contacts, scan, parties, look_up) for key, contacts in groups.items()]
    return sorted(found, key=lambda one: (not one.leaks, one.is_only_named, -len(one.contacts), one.name))


def own_name(host: str) -> str:
    """Return what a host is called where nobody knows it: its registrable domain, or itself."""
    return site_of(host).domain or host


def _party(
    key: tuple[str, str], contacts: list[Contact], scan: Scan, parties: Parties, look_up: LookUp
) -> Party:
    declared, name = key
    hosts = tuple(dict.fromkeys(one.host for one in contacts))
    every = (look_up(one.host, _url(one).path) for one in contacts)
    known = next((found for found in every if found is not None), None)
    purpose, why = _purpose(declared, known, contacts, parties)
    kept = tuple(one for one in scan.kept if _is_of(one, hosts, parties.site.host))
    is_unknown = not declared and known is None
    return Party(
        name=name,
        purpose=purpose,
        why=why,
        declared=declared,
        known=known,
        hosts=hosts,
        undeclared=() if declared else tuple(host for host in hosts if not _is_address(host)),
        contacts=tuple(contacts),
        kept=kept,
        needs=tuple(one for one in scan.needs if set(one.hosts) & set(hosts)),
        may_be_own=_may_be_own(contacts, kept, parties.site) if is_unknown else "",
    )


def _may_be_own(contacts: Sequence[Contact], kept: Sequence[StorageEntry], site: Site) -> str:
    """Return what a host that nobody knows has of the shop's own, which is no proof: the owner is asked."""
    if any(look_alike(one.host, site) for one in contacts):
        return "its name resembles the shop's"
    own = {"", site.host, *(one.host for one in contacts)}
    is_passive = all(
        any(may_be_own(one.host, [word]) for word in one.element.split(" "))
        and (urlsplit(one.by).hostname or "") in own
        for one in contacts
    )
    has_told = any(one.told for one in contacts)
    return "serves only pictures, styles or fonts" if is_passive and not kept and not has_told else ""


def _purpose(
    declared: str, known: Entry | None, contacts: list[Contact], parties: Parties
) -> tuple[str, str]:
    if declared:
        return parties.verdict(_url(contacts[0])).purpose, "declared"
    if known is not None:
        return known.purpose, "catalogue"
    return guessed(contacts, parties.register.ids)


def guessed(contacts: Iterable[Contact], ids: frozenset[str]) -> tuple[str, str]:
    """Guess a purpose by names and elements; marketing where nothing tells."""
    contacts = list(contacts)
    words = {f"{one.host.rpartition('.')[0] or one.host}/{one.url.rpartition('/')[2]}" for one in contacts}
    if "statistics" in ids and any(STATISTICS.search(word) for word in words):
        return "statistics", "its name says statistics"
    own = [one.element.split(" ")[0] for one in contacts if not one.by]
    shown = [one for one in contacts if not one.by and one.element.split(" ")[0] in FRAMES]
    if (
        "preferences" in ids
        and all(element in BESIDE_FRAMES for element in own)
        and any(FILMS.search(f"{one.host}{one.url}") for one in shown)
    ):
        return "preferences", "the page shows a film or a map of it"
    if (
        "preferences" in ids
        and contacts
        and all(LETTERING.search(f"{one.host}{one.url}") for one in contacts)
    ):
        return "preferences", "it serves only fonts"
    asked = sorted(ids - {NECESSARY}) or ["marketing"]  # of a shop that asks for nothing, by its usual name
    return "marketing" if "marketing" in asked else asked[0], "nothing shows what it is for"


def still_held(scan: Scan, *every: Parties) -> list[str]:
    """Name the hosts that pages ask for, and that are held because none of these configurations declares them."""
    held = set()
    for contact in scan.contacts:
        verdicts = [(one, one.verdict(_url(contact))) for one in every]
        if contact.how != NAMED and all(
            found.is_undeclared and one.register.holds(found, NOTHING_BEYOND) for one, found in verdicts
        ):
            held.add(verdicts[0][1].pattern)
    return sorted(held)


def _is_of(kept: StorageEntry, hosts: tuple[str, ...], shop: str) -> bool:
    # A vendor may be declared at stats.shop.example.
    is_own = shop == kept.site or shop.endswith(f".{kept.site}")
    of_site = (kept.site == host or host.endswith(f".{kept.site}") for host in hosts)
    return kept.by in hosts or (not is_own and any(of_site))


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _url(contact: Contact) -> Url:
    scheme, _, rest = contact.url.partition("://")
    path = "/" + rest.partition("/")[2]
    return Url(scheme, contact.host, contact.port, path)
