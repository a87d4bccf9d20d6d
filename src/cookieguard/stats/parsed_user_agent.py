"""A parsed User-Agent in the form of the package `user_agents`, made with ua-parser's fast resolver.

Slow to load, and therefore imported only on use.
"""

from __future__ import annotations

import re

from ua_parser import BestAvailableResolver, Parser, load_lazy_builtins
from user_agents import parsers

# Found in patterns of devices that can find a family which `user_agents` compares, or a Mac. The other 573 patterns
# only name models of telephones, and would take 13 MB more.
FAMILIES = re.compile(r"(?i)generic|spider|ip(?:ad|hone|od)|ios|vita|playbook|kindle|xoom|streak|\bmac")
# Lazy, because the Rust resolver compiles the patterns itself; compiling them in Python too took a third of the time.
_browsers, _systems, _devices = load_lazy_builtins()
_devices = [
    device for device in _devices if FAMILIES.search(f"{getattr(device, 'family', '')} {device.regex}")
]
_PARSER = Parser(BestAvailableResolver((_browsers, _systems, _devices)))


class ParsedAgent(parsers.UserAgent):  # type: ignore[misc]  # it has no types
    """The result of `user_agents.parse` as far as statistics need it, in 20 us instead of 440."""

    def __init__(self, text: str) -> None:
        found = _PARSER.parse(text).with_defaults()
        self.ua_string = text
        browser, system, device = found.user_agent, found.os, found.device
        version = tuple(filter(None, (system.major, system.minor)))
        self.browser = parsers.Browser(browser.family, (browser.major,) if browser.major else (), "")
        self.os = parsers.OperatingSystem(system.family, version, ".".join(version))
        self.device = parsers.Device(device.family, device.brand, device.model)
