"""All vectors in a fixed order; a vector's position gives it its host and address."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from . import scripted, static
from .recorder import address_of
from .vector import DOMAINS, Vector


@cache
def every() -> tuple[Vector, ...]:
    """Return every vector."""
    return (*static.vectors(), *scripted.vectors(), *static.misread())


@cache
def _numbers() -> dict[str, int]:
    return {vector.name: number for number, vector in enumerate(every())}


def domain_of(vector: Vector) -> str:
    """Name the domain of a vector's host, which says for what purpose it is declared, if at all."""
    return DOMAINS[_numbers()[vector.name] % len(DOMAINS)]


def host_of(vector: Vector) -> str:
    """Name a vector's own host."""
    return f"v{_numbers()[vector.name]:03}.{domain_of(vector)}"


def home_of(vector: Vector) -> str:
    """Return the address a vector's host is mapped to."""
    return address_of(_numbers()[vector.name])


def begin_with(name: str) -> Sequence[str]:
    """Return the names that begin so; raises ValueError where none does."""
    found = [vector.name for vector in every() if vector.name.startswith(name)]
    if not found:
        raise ValueError(f"VECTORS is {name!r}; allowed: whole, or how the name of a vector begins")
    return found


def sample(seed: str) -> Sequence[str]:
    """Choose an eighth of all names, the same for the same seed."""
    names = [vector.name for vector in every()]
    return random.Random(seed).sample(names, len(names) // 8)
