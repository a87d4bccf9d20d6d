"""What the query of a link of ours asks for."""

from __future__ import annotations

from urllib.parse import parse_qs


def first_values(query: str, most: int) -> dict[str, str]:
    """Return the first value of each name; nothing where there are more fields than any link of ours has."""
    try:
        return {name: values[0] for name, values in parse_qs(query, max_num_fields=most).items()}
    except ValueError:
        return {}
