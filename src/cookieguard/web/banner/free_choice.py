"""Check that a banner offers a free choice: refusing is as easy and as visible as accepting, and no box is pre-ticked.

The faults are those that the European Data Protection Board's cookie banner task force (January 2023) and the French
authority name: no way to refuse on the first layer, pre-ticked boxes, or a link or a weaker button for refusing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from cookieguard.config.purposes import NECESSARY

PLACE = "cg"  # the id of the banner's section
VOID = frozenset(
    {"input", "br", "img", "link", "meta", "hr", "source", "track", "wbr", "area", "base", "col", "embed"}
)
LOOKS = ("class", "style", "id")  # attributes by which a style sheet may give elements a different look
# Selectors that match only one of the two buttons.
SINGLES_OUT = re.compile(
    r"""\[value[~|^$*]?=|button[^{},]*:(?:first|last|nth|only)-|:(?:first|last|nth)-child"""
)
INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.\d]*[1-9])", re.I)


@dataclass(frozen=True, slots=True)
class Control:
    """Hold a button or checkbox: its attributes, and the elements around it, the innermost last."""

    name: str
    attributes: dict[str, str]
    around: tuple[str, ...]
    is_shown: bool

    @property
    def look(self) -> tuple[object, ...]:
        """Return everything on which its look depends, for comparison with another control."""
        return (self.name, self.around, *(self.attributes.get(name, "") for name in LOOKS))


class Banner(HTMLParser):
    """Parse a page and hold the buttons, checkboxes and style sheets of our banner in it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.buttons: dict[str, Control] = {}
        self.boxes: list[Control] = []
        self.sheets: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag if it is a button or a checkbox of the banner."""
        attributes = {name: value or "" for name, value in attrs}
        around = [*self._open, (tag, attributes)]
        control = Control(
            tag,
            attributes,
            tuple(f"{name}.{held.get('class', '')}" for name, held in self._open),
            not any(_is_hidden(held) for _, held in around),
        )
        if any(held.get("id") == PLACE for _, held in self._open):
            if attributes.get("name") == "choice":
                self.buttons[attributes.get("value", "")] = control
            if tag == "input" and attributes.get("type") == "checkbox":
                self.boxes.append(control)
        if tag not in VOID:
            self._open.append((tag, attributes))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Treat a self-closing tag as an element without content."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element and all elements that are still open in it."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] == tag:
                del self._open[index:]
                return

    def handle_data(self, data: str) -> None:
        """Keep the text of a style sheet inside our <cg-part>."""
        is_ours = any(name == "cg-part" for name, _ in self._open)
        if is_ours and self._open[-1][0] == "style":
            self.sheets.append(data)


def faults_of(page: str) -> list[tuple[str, str]] | None:
    """Return the faults of the banner in a page, each with its remedy; None if the page has no banner."""
    banner = Banner(page)
    accept, reject = banner.buttons.get("accept"), banner.buttons.get("reject")
    if accept is None and reject is None:
        return None
    return [
        *_faults_of_buttons(accept, reject),
        *_faults_of_boxes(banner.boxes),
        *_faults_of_sheets(banner.sheets),
    ]


def _faults_of_buttons(accept: Control | None, reject: Control | None) -> Iterator[tuple[str, str]]:
    if reject is None or not reject.is_shown:
        yield (
            "its first layer has no button that refuses",
            'put <button name="choice" value="reject"> next to the button that accepts',
        )
    elif (
        accept is not None
        and "details." in " ".join(reject.around)
        and "details." not in " ".join(accept.around)
    ):
        yield "the button that refuses is inside <details>", "put both buttons side by side"
    elif accept is not None and accept.look != reject.look:
        yield "the two buttons look different", "give both buttons the same element, class and style"


def _faults_of_boxes(boxes: list[Control]) -> Iterator[tuple[str, str]]:
    for box in boxes:
        purpose = box.attributes.get("value", "")
        if "checked" in box.attributes and purpose != NECESSARY:
            yield (
                f"the box for {purpose} is ticked in advance",
                "leave out `checked`: a box ticked in advance is no consent (CJEU C-673/17)",
            )


def _faults_of_sheets(sheets: list[str]) -> Iterator[tuple[str, str]]:
    for sheet in sheets:
        for rule in re.findall(r"([^{}]+)\{", sheet):
            if SINGLES_OUT.search(rule):
                yield f"a style rule may apply to one button only: {rule.strip()[:80]}", "style both alike"


def _is_hidden(attributes: dict[str, str]) -> bool:
    return "hidden" in attributes or INVISIBLE.search(attributes.get("style", "")) is not None
