"""Markdown of a policy as HTML: headings, lists, tables and links, without raw HTML, pictures or script URLs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

HEADINGS = {"h1": "h2", "h2": "h3", "h3": "h4", "h4": "h5", "h5": "h6", "h6": "h6"}  # the page has an h1
LINKS = ("http://", "https://", "mailto:", "tel:", "/", "#")
DEEPEST = 20  # levels of lists and quotes; deeper content is left out


def render(markdown: str) -> str:
    """Return the HTML of a text, with everything that is not Markdown escaped."""
    parser, tokens = _parser(), parse(markdown)
    _adapt(tokens)
    return str(parser.renderer.render(tokens, parser.options, {}))


def parse(markdown: str = "") -> list[Token]:
    """Return the tokens of a text. The first call imports the parser, so make it at start, before any request."""
    return _parser().parse(markdown)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Imported only if there is a policy, because it takes 60 ms, an eighth of `import cookieguard`.
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST}, renderer_cls=RendererHTML)
    parser.enable("table").disable(["image", "html_block", "html_inline"])
    # The parser's documented way to allow fewer addresses
    parser.validateLink = lambda url: url.strip().lower().startswith(LINKS)  # type: ignore[method-assign]
    return parser


def _adapt(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = HEADINGS[token.tag]
        elif token.type == "link_open":
            token.attrSet("rel", "noreferrer")
        _adapt(token.children or ())
