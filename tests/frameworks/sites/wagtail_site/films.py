"""What YouTube's oEmbed answers, without asking it."""

from __future__ import annotations

from typing import Any

from wagtail.embeds.finders.base import EmbedFinder


class Finder(EmbedFinder):
    """Find the frame of a film."""

    def accept(self, url: str) -> bool:
        """Take every address."""
        return True

    def find_embed(self, url: str, max_width: Any = None, max_height: Any = None) -> dict[str, Any]:
        """Return what the documentation shows for YouTube."""
        film = url.rpartition("=")[2]
        html = (
            f'<iframe width="480" height="270" src="https://www.youtube.com/embed/{film}?feature=oembed" '
            'allow="autoplay; encrypted-media" allowfullscreen></iframe>'
        )
        return {
            "title": "How a mug is thrown",
            "author_name": "Mugs",
            "provider_name": "YouTube",
            "type": "video",
            "thumbnail_url": None,
            "width": 480,
            "height": 270,
            "html": html,
        }
