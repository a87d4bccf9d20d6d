"""Which other hosts a shop's configuration makes its own."""

from __future__ import annotations

from cookieguard.config import Config

DEVELOPERS_HOSTS = ("localhost", "127.0.0.1")  # not [::1]: no policy can name it


def own_hosts(config: Config) -> tuple[str, ...]:
    """Return the hosts that are the shop's beside its site: those it names, and in dev mode this machine's names."""
    return (*config.first_party_hosts, *_of_developers(config))


def _of_developers(config: Config) -> list[str]:
    """Return this machine's names where other ports of it are the shop's own: servers of assets, in dev mode.

    But one that a declaration names, with a port or without: an allow list cannot let all ports but one through.
    """
    declared = [host for vendor in config.vendors for host in vendor.hosts] + [*config.first_party_hosts]
    names = {pattern.partition("/")[0].partition(":")[0] for pattern in declared}
    return [name for name in DEVELOPERS_HOSTS if config.dev and name not in names]
