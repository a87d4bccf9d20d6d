"""Group what a scan observed by third party: its vendor in the catalogue, purpose, hosts, contacts and cookies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cookieguard.config.catalogue import Entry
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Site, look_alike, site_of
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.consent.declarations import may_be_own
from cookieguard.consent.sites import is_address
from cookieguard.html import Url
from cookieguard.scan.observations import ACCEPTED, LEAKS, NAMED, Contact, Need, Scan, StorageEntry
from cookieguard.scan.plan import Parties

# Guesses of the purpose of an unknown host, by its name and the elements that load it. The draft marks them as guesses.
STATISTICS = re.compile(
    r"(^|[./_-])(analytics|metrics?|stats?|matomo|piwik|plausible|umami|count(er)?)([./_-]|\d|$)"
)
# The elements that show a film or a map, and those that a page loads together with it.
FRAMES = ("iframe", "object", "embed")
BESIDE_FRAMES = (*FRAMES, "link", "stylesheet", "style", "font")
LETTERING = re.compile(r"\.(woff2?|ttf|otf)$|(^|[./_-])fonts?([./_-]|\d|$)")
FILMS = re.compile(r"(^|[./_-])(videos?|maps?|player|embed)([./_-]|\d|$)")


LookUp = Callable[[str, str], Entry | None]
"""Return the catalogue's entry of a host and a path; the path decides where several vendors share a host."""


def no_catalogue(_: str, __: str) -> Entry | None:
    """Return no entry: the lookup without a catalogue."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Hold everything that a scan observed of one third party."""

    name: str
    purpose: str
    why: str
    """The source of the purpose: `declared`, `catalogue`, or the reason of a guess."""
    declared: str = ""
    """The vendor in the configuration that declares its hosts; empty if none does."""
    known: Entry | None = None
    hosts: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    """Those of its hosts that no vendor of the configuration covers."""
    contacts: tuple[Contact, ...] = ()
    kept: tuple[StorageEntry, ...] = ()
    needs: tuple[Need, ...] = ()
    may_be_own: str = ""
    """Why it may be the shop's own; empty without such a sign."""

    @property
    def leaks(self) -> tuple[Contact, ...]:
        """Return the contacts that no consent allowed."""
        if self.purpose == NECESSARY and self.declared:
            return ()
        return tuple(
            contact for contact in self.contacts if contact.how in LEAKS and contact.state != ACCEPTED
        )

    @property
    def is_only_named(self) -> bool:
        """Return whether scripts only name its hosts, and no contact was seen."""
        return all(contact.how == NAMED for contact in self.contacts)

    @property
    def pages(self) -> tuple[str, ...]:
        """Return the pages it was seen on."""
        return tuple(dict.fromkeys(contact.page for contact in self.contacts))

    @property
    def told(self) -> tuple[str, ...]:
        """Return what its requests reveal of the pages."""
        return tuple(dict.fromkeys(what for contact in self.contacts for what in contact.told))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the cookies and storage keys that it kept."""
        return tuple(dict.fromkeys(entry.name for entry in self.kept))


def parties_of(scan: Scan, parties: Parties, look_up: LookUp = no_catalogue) -> list[Party]:
    """Return the third parties of a scan, those with leaks first, then by number of contacts."""
    groups: dict[tuple[str, str], list[Contact]] = {}
    for contact in scan.contacts:
        declared = parties.verdict(_url(contact)).vendor or ""
        known = look_up(contact.host, _url(contact).path)
        name = declared or (known.name if known else site_of(contact.host).domain or contact.host)
        groups.setdefault((declared, name), []).append(contact)
    found = [_party(key, contacts, scan, parties, look_up) for key, contacts in groups.items()]
    return sorted(
        found, key=lambda party: (not party.leaks, party.is_only_named, -len(party.contacts), party.name)
    )


def _party(
    key: tuple[str, str], contacts: list[Contact], scan: Scan, parties: Parties, look_up: LookUp
) -> Party:
    declared, name = key
    hosts = tuple(dict.fromkeys(contact.host for contact in contacts))
    every = (look_up(contact.host, _url(contact).path) for contact in contacts)
    known = next((found for found in every if found is not None), None)
    purpose, why = _purpose(declared, known, contacts, parties)
    kept = tuple(entry for entry in scan.kept if _is_of(entry, hosts, parties.site.host))
    is_unknown = not declared and known is None
    return Party(
        name=name,
        purpose=purpose,
        why=why,
        declared=declared,
        known=known,
        hosts=hosts,
        undeclared=() if declared else tuple(host for host in hosts if not is_address(host.strip("[]"))),
        contacts=tuple(contacts),
        kept=kept,
        needs=tuple(need for need in scan.needs if set(need.hosts) & set(hosts)),
        may_be_own=_may_be_own(contacts, kept, parties.site) if is_unknown else "",
    )


def _may_be_own(contacts: Sequence[Contact], kept: Sequence[StorageEntry], site: Site) -> str:
    """Return why an unknown host may be the shop's own, which the owner has to confirm; "" if nothing suggests it."""
    if any(look_alike(contact.host, site) for contact in contacts):
        return "its name resembles the shop's"
    own = {"", site.host, *(contact.host for contact in contacts)}
    is_passive = all(
        any(may_be_own(contact.host, [word]) for word in contact.element.split(" "))
        and (urlsplit(contact.by).hostname or "") in own
        for contact in contacts
    )
    has_told = any(contact.told for contact in contacts)
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
    """Return a purpose guessed by names and elements, and the reason; marketing if they do not show another."""
    contacts = list(contacts)
    words = {
        f"{contact.host.rpartition('.')[0] or contact.host}/{contact.url.rpartition('/')[2]}"
        for contact in contacts
    }
    if "statistics" in ids and any(STATISTICS.search(word) for word in words):
        return "statistics", "its name says statistics"
    own = [contact.element.split(" ")[0] for contact in contacts if not contact.by]
    shown = [contact for contact in contacts if not contact.by and contact.element.split(" ")[0] in FRAMES]
    if (
        "preferences" in ids
        and all(element in BESIDE_FRAMES for element in own)
        and any(FILMS.search(f"{contact.host}{contact.url}") for contact in shown)
    ):
        return "preferences", "the page shows a film or a map of it"
    if (
        "preferences" in ids
        and contacts
        and all(LETTERING.search(f"{contact.host}{contact.url}") for contact in contacts)
    ):
        return "preferences", "it serves only fonts"
    asked = sorted(ids - {NECESSARY}) or ["marketing"]  # the shop may have only the necessary purpose
    return "marketing" if "marketing" in asked else asked[0], "nothing shows what it is for"


def still_held(scan: Scan, *every: Parties) -> list[str]:
    """Return the hosts that pages contact and that are held because none of these configurations declares them."""
    held = set()
    for contact in scan.contacts:
        verdicts = [(setup, setup.verdict(_url(contact))) for setup in every]
        if contact.how != NAMED and all(
            found.is_undeclared and setup.register.holds(found, NOTHING_BEYOND) for setup, found in verdicts
        ):
            held.add(verdicts[0][1].pattern)
    return sorted(held)


def _is_of(kept: StorageEntry, hosts: tuple[str, ...], shop: str) -> bool:
    # A vendor's host may be below the shop's domain, such as stats.shop.example.
    is_own = shop == kept.site or shop.endswith(f".{kept.site}")
    of_site = (kept.site == host or host.endswith(f".{kept.site}") for host in hosts)
    return kept.by in hosts or (not is_own and any(of_site))


def _url(contact: Contact) -> Url:
    scheme, _, rest = contact.url.partition("://")
    return Url(scheme, contact.host, contact.port, f"/{rest.partition('/')[2]}")
