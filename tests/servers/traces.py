"""Searches everything that was written for addresses, in each form a program may give them."""

from __future__ import annotations

import random
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

Address = IPv4Address | IPv6Address
GRAM = 4  # every needle is at least as long as a packed IPv4 address


def draw(count: int, *, seed: int) -> list[Address]:
    """Draw public-looking addresses, half of them IPv4; cut to /24 or /48 each would be another one."""
    source = random.Random(seed)
    drawn: list[Address] = []
    while len(drawn) < count:
        drawn.append(_ipv4(source) if len(drawn) % 2 else _ipv6(source))
    return drawn


def draw_peers(count: int, *, seed: int) -> list[Address]:
    """Draw loopback addresses: real peers of a real server, for which nobody needs a privilege."""
    source = random.Random(seed)
    return [IPv4Address((127 << 24) + source.randrange(1 << 16, 1 << 24) | 100) for _ in range(count)]


def _ipv4(source: random.Random) -> IPv4Address:
    while True:
        address = IPv4Address(source.randrange(20 << 24, 220 << 24))
        if address.is_global and address.packed[3] > 99:
            return address


def _ipv6(source: random.Random) -> IPv6Address:
    return IPv6Address((0x2A00 << 112) + source.randrange(1 << 112) | 1 << 76)


def _text(address: Address) -> Iterable[str]:
    yield str(address)
    if isinstance(address, IPv4Address):
        yield str(address).replace(".", "-")
        yield IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed).exploded[-9:]  # as in ::ffff:c633:6407
        return
    yield address.exploded
    yield str(address).upper()
    yield str(address).replace(":", "%3A")
    yield ":".join(f"{group:x}" for group in _groups(address)[:4])  # the /64 is one household


def _groups(address: IPv6Address) -> list[int]:
    return [int.from_bytes(address.packed[at : at + 2], "big") for at in range(0, 16, 2)]


def _packed(address: Address) -> Iterable[bytes]:
    yield address.packed
    yield address.packed[::-1]
    if isinstance(address, IPv6Address):
        yield address.packed[:8]


def _integer(address: Address) -> Iterable[str]:
    yield str(int(address))
    yield str(int.from_bytes(address.packed, "little"))


def _hex(address: Address) -> Iterable[str]:
    for packed in _packed(address):
        yield packed.hex()
        yield packed.hex().upper()
        yield packed.hex("-")
    yield "".join(f"\\x{byte:02x}" for byte in address.packed)


def _base64(address: Address) -> Iterable[bytes]:
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(address.packed).rstrip(b"=")
        for shift in range(3):  # inside a longer text it begins at any of three places
            encoded = encode(b"\0" * shift + str(address).encode()).rstrip(b"=")
            yield encoded[2 * shift - (shift == 2) : -1]


FORMS: Mapping[str, Callable[[Address], Iterable[str | bytes]]] = {
    "text": _text,
    "integer": _integer,
    "base64": _base64,
    "packed": _packed,
    "hex": _hex,
}
# Four bytes turn up by chance in keys and tokens, eight hex digits in ids; a leak would show every client.
BY_CHANCE = {"packed", "hex"}
CHANCE_HITS = 2


class Written:
    """Hold every byte a run wrote: all files under a directory, their names included."""

    def __init__(self, directory: Path) -> None:
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        self.files = len(files)
        self._bytes = b"\0".join(str(path).encode() + b"\0" + path.read_bytes() for path in files)
        # A needle that holds a four-byte piece which never occurs needs no search; most do.
        self._grams = {self._bytes[at : at + GRAM] for at in range(len(self._bytes) - GRAM + 1)}

    @property
    def size(self) -> int:
        """How many bytes are searched."""
        return len(self._bytes)

    def traces_of(self, addresses: Iterable[Address]) -> Counter[str]:
        """Count by form the addresses that are found in it."""
        found = Counter(dict.fromkeys(FORMS, 0))
        for address in addresses:
            found.update(form for form, write in FORMS.items() if any(map(self._holds, write(address))))
        return found

    def _holds(self, needle: str | bytes) -> bool:
        needle = needle.encode() if isinstance(needle, str) else needle
        grams = (needle[at : at + GRAM] for at in range(len(needle) - GRAM + 1))
        return all(gram in self._grams for gram in grams) and needle in self._bytes


def check_nothing_found(written: Written, clients: list[Address], controls: list[Address]) -> None:
    """Hold clients to what addresses that never came give."""
    found, by_chance = written.traces_of(clients), written.traces_of(controls)
    print(f"{written.size} bytes in {written.files} files: clients {dict(found)}, controls {dict(by_chance)}")
    for form in FORMS:
        if form in BY_CHANCE:
            assert abs(found[form] - by_chance[form]) <= CHANCE_HITS, form
        else:
            assert (found[form], by_chance[form]) == (0, 0), form


def access_lines(directory: Path) -> list[str]:
    """Return every line of every access log."""
    return [line for log in (directory / "state" / "logs").iterdir() for line in log.read_text().splitlines()]


def cut(client: Address) -> str:
    """Cut an address as the default does, in the test's own way."""
    if client.version == 4:
        return ".".join([*str(client).split(".")[:3], "0"])
    return str(type(client)(client.packed[:6] + bytes(10)))
