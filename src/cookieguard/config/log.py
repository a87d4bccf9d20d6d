"""`[log]`: the access log, its form, how far addresses are known to it, how long its files are kept."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_between, require_one_of, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

# Bits left of an IPv4 and an IPv6 address. `ga`: Google Analytics' anonymizeIp, last octet and last 80 bits off.
# `cnil`: at least two octets off, as the exemption for audience measurement is read; it names no IPv6 length, 32
# bits are what a provider is given as a whole. `zero`: no address, `0.0.0.0` in every line.
PRESETS: dict[str, tuple[int, int]] = {"ga": (24, 48), "cnil": (16, 32), "zero": (0, 0)}
DEFAULT_PREFIXES = PRESETS["ga"]
TRUNCATE, PREFIX_DAILY = "truncate", "prefix-daily"
REDUCED, FULL = "reduced", "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Set the access log: one file per worker, anonymized addresses."""

    enabled: bool = True
    """Write an access log."""
    directory: str = ""
    """Where the files go; empty means `logs` in the state directory."""
    format: str = "combined"
    """`combined` (Combined Log Format) or `json` (one object a line)."""
    preset: str = ""
    """How far addresses are cut, by whose rule: `ga`, `cnil` or `zero`; empty means the two prefixes."""
    ipv4_prefix: int | None = None
    """Bits that are left of an IPv4 address; 24 where nothing is set."""
    ipv6_prefix: int | None = None
    """Bits that are left of an IPv6 address; 48 where nothing is set."""
    addresses: str = TRUNCATE
    """`prefix-daily` enciphers them instead, with a key of the day: as many visitors and networks, no address."""
    agents: str = REDUCED
    """`reduced` leaves browser, major version and system of a user agent; `full` keeps models and builds too."""
    rotate: str = "daily"
    """`daily` begins a file with each UTC day (its date is in the name); `off` leaves it to logrotate."""
    keep_days: int = 14
    """A file older than this many days is removed, today's counted."""

    def __post_init__(self) -> None:
        require_types("log", self)
        require_text("log.directory", self.directory, empty=True)
        require_one_of("log.format", self.format, ("combined", "json"))
        require_one_of("log.preset", self.preset, ("", *PRESETS))
        require_one_of("log.addresses", self.addresses, (TRUNCATE, PREFIX_DAILY))
        require_one_of("log.agents", self.agents, (REDUCED, FULL))
        require_one_of("log.rotate", self.rotate, ("daily", "off"))
        require_between("log.keep_days", self.keep_days, 1, 400, "days")
        self._check_prefixes()

    @property
    def prefixes(self) -> tuple[int, int]:
        """Return how many bits are left of an IPv4 and of an IPv6 address."""
        ipv4, ipv6 = PRESETS.get(self.preset, DEFAULT_PREFIXES)
        return (
            ipv4 if self.ipv4_prefix is None else self.ipv4_prefix,
            ipv6 if self.ipv6_prefix is None else self.ipv6_prefix,
        )

    def _check_prefixes(self) -> None:
        # More bits than these name one household or one firm.
        for name, value, most in (
            ("ipv4_prefix", self.ipv4_prefix, 24),
            ("ipv6_prefix", self.ipv6_prefix, 48),
        ):
            if value is None:
                continue
            require_between(f"log.{name}", value, 0, most, "bits")
            if self.preset:
                was = f"{value} beside log.preset = {self.preset!r}"
                raise ConfigError(f"log.{name}", was=was, allowed="one of the two: a preset, or prefixes")
        if self.preset and self.addresses == PREFIX_DAILY:
            was = f"{PREFIX_DAILY!r} beside log.preset = {self.preset!r}"
            raise ConfigError(
                "log.addresses", was=was, allowed="one of the two: enciphered, or cut by a preset"
            )
