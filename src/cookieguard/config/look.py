"""`[look]`: how the banner, the placeholders and the page of choices look."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cookieguard.config.loading.checks import require_match, require_one_of, require_text
from cookieguard.config.loading.types import require_types

LAYOUTS = ("bar", "card", "sheet")
# Each is a setting here and a CSS variable: `button_text` is `--cg-button-text`.
VARIABLES = ("background", "text", "muted", "border", "button", "button_text", "font", "radius")
# One CSS value: nothing in it ends a declaration, a rule or an element, names an address, or escapes a character.
VALUE = re.compile(r"(?!.*(?:url|image|image-set|src)\()[A-Za-z0-9#%.,()/ '-]{0,120}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSettings:
    """Set how what visitors see of us looks; a colour for light and dark is `light-dark(#fff, #181b21)`."""

    layout: str = "bar"
    """`bar` along the lower edge, `card` in the corner, `sheet` from the lower edge; on a phone each is a sheet."""
    templates: str = ""
    """A folder of your own templates and style sheets: any of `banner.html`, `embed.html`, `banner.css`, `embed.css`,
    `page.css`; empty means ours."""
    background: str = ""
    """What the banner stands on."""
    text: str = ""
    """The colour of titles, links and labels."""
    muted: str = ""
    """The colour of explanations."""
    border: str = ""
    """The colour of lines."""
    button: str = ""
    """The colour of both buttons, of refusing as of accepting."""
    button_text: str = ""
    """The colour of what is written on them."""
    font: str = ""
    """A list of fonts; empty means the font of the shop's body."""
    radius: str = ""
    """How round the corners are, like `4px`."""

    def __post_init__(self) -> None:
        require_types("look", self)
        require_one_of("look.layout", self.layout, LAYOUTS)
        require_text("look.templates", self.templates, empty=True)
        for name in VARIABLES:
            allowed = "one CSS value like '#7a1f3d', without addresses, double quotes, semicolons and braces"
            require_match(f"look.{name}", getattr(self, name), VALUE, allowed)

    @property
    def declarations(self) -> str:
        """Return the CSS variables that are set, as declarations."""
        given = {name.replace("_", "-"): getattr(self, name) for name in VARIABLES}
        return "".join(f"--cg-{name}:{value};" for name, value in given.items() if value)
