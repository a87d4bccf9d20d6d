"""Look a host up in the catalogue of vendors, for commands."""

from __future__ import annotations

from cookieguard.config.catalogue import load_catalogue
from cookieguard.scan.third_parties import KnownVendor, LookUp


def catalogue_look_up(preset: str) -> LookUp:
    """Return the look-up, with purposes of a preset; by the path too, where several vendors share a host."""
    catalogue = load_catalogue()

    def look_up(host: str, path: str) -> KnownVendor | None:
        entry = catalogue.by_host(host, path)
        if entry is None:
            return None
        return KnownVendor(
            id=entry.id,
            name=entry.name,
            purpose=entry.purpose_in(preset),
            hosts=entry.needed_hosts,
            cookies=entry.on_shop,
            privacy_url=entry.privacy_url,
            necessary_when=entry.necessary_when,
        )

    return look_up
