"""`[look]`: the layout, colours and templates of the banner, the placeholders and the page of choices."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import require_match, require_one_of, require_text
from cookieguard.config.loading.types import require_types

LAYOUTS = ("bar", "card", "sheet")
# Each name is a setting here and a CSS variable: `button_text` sets `--cg-button-text`.
VARIABLES = ("background", "text", "muted", "border", "button", "button_text", "font", "radius")
# One CSS value that cannot end its declaration, rule or element, load an address, or escape a character.
VALUE = re.compile(r"(?!.*(?:url|image|image-set|src)\()[A-Za-z0-9#%.,()/ '-]{0,120}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSettings:
    """Set how the banner and the placeholders look. `light-dark(#fff, #181b21)` gives a colour for light and dark."""

    layout: str = "bar"
    """`bar` (along the lower edge), `card` (in a corner) or `sheet` (rises from the lower edge, always on phones)."""
    templates: str = ""
    """A folder with your own templates and style sheets: any of `banner.html`, `embed.html`, `banner.css`,
    `embed.css`, `page.css`. cookieguard uses its own for each file that you leave out."""
    background: str = ""
    """The background colour."""
    text: str = ""
    """The colour of titles, links and labels."""
    muted: str = ""
    """The colour of explanatory text."""
    border: str = ""
    """The colour of lines."""
    button: str = ""
    """The colour of the buttons; refusing and accepting always look the same."""
    button_text: str = ""
    """The colour of the text on the buttons."""
    font: str = ""
    """A list of fonts; empty means the font of the shop's body."""
    radius: str = ""
    """The radius of the corners, like `4px`."""

    def __post_init__(self) -> None:
        require_types("look", self)
        require_one_of("look.layout", self.layout, LAYOUTS)
        require_text("look.templates", self.templates, empty=True)
        for name in VARIABLES:
            allowed = "one CSS value like '#7a1f3d', without URLs, double quotes, semicolons or braces"
            require_match(f"look.{name}", getattr(self, name), VALUE, allowed)

    @property
    def declarations(self) -> str:
        """Return the CSS variables that are set, as declarations."""
        given = {name.replace("_", "-"): getattr(self, name) for name in VARIABLES}
        return "".join(f"--cg-{name}:{value};" for name, value in given.items() if value)
