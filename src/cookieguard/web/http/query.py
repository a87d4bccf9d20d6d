"""Read the query of a link to one of our own pages."""

from __future__ import annotations

from urllib.parse import parse_qs


def first_values(query: str, most: int) -> dict[str, str]:
    """Return the first value of each name; empty if there are more than `most` fields, which our links never have."""
    try:
        return {name: values[0] for name, values in parse_qs(query, max_num_fields=most).items()}
    except ValueError:
        return {}
