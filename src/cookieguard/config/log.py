"""`[log]`: the access log: its format, how addresses in it are shortened, and how long its files are kept."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.config.loading.checks import require_between, require_one_of, require_text
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

# The bits that are kept of an IPv4 and an IPv6 address. `ga` is anonymizeIp of Google Analytics: the last octet
# and the last 80 bits are removed. `cnil` removes two octets, as the exemption for audience measurement is understood;
# it names no length for IPv6, and 32 bits are what a provider is assigned. `zero` writes `0.0.0.0` into every line.
PRESETS: dict[str, tuple[int, int]] = {"ga": (24, 48), "cnil": (16, 32), "zero": (0, 0)}
DEFAULT_PREFIXES = PRESETS["ga"]
TRUNCATE, PREFIX_DAILY = "truncate", "prefix-daily"
REDUCED, FULL = "reduced", "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Set the access log: one file per worker, with anonymized addresses."""

    enabled: bool = True
    """Write an access log."""
    directory: str = ""
    """The directory for the log files; empty means `logs` in the state directory."""
    format: str = "combined"
    """`combined` (Combined Log Format) or `json` (one object a line)."""
    preset: str = ""
    """The rule by which addresses are cut: `ga`, `cnil` or `zero`. Empty: the two prefixes below apply."""
    ipv4_prefix: int | None = None
    """How many bits of an IPv4 address are kept; empty means 24."""
    ipv6_prefix: int | None = None
    """How many bits of an IPv6 address are kept; empty means 48."""
    addresses: str = TRUNCATE
    """`truncate` cuts addresses; `prefix-daily` encrypts them with a daily key, so networks can still be counted."""
    agents: str = REDUCED
    """`reduced` keeps browser, major version and system of a user agent; `full` also keeps models and builds."""
    rotate: str = "daily"
    """`daily` starts a new file each UTC day, with the date in its name; `off` leaves rotation to logrotate."""
    keep_days: int = 14
    """How many days of log files are kept, including today."""

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
        """Return how many bits of an IPv4 and of an IPv6 address are kept."""
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
                was = f"{value} together with log.preset = {self.preset!r}"
                raise ConfigError(f"log.{name}", was=was, allowed="a preset or prefixes, not both")
        if self.preset and self.addresses == PREFIX_DAILY:
            was = f"{PREFIX_DAILY!r} together with log.preset = {self.preset!r}"
            allowed = f"{PREFIX_DAILY!r} or a preset, not both"
            raise ConfigError("log.addresses", was=was, allowed=allowed)
