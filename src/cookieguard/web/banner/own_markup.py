"""Check the rendered output of a shop's own template: which markup it may contain, and which parts it must keep.

Rule: an element or attribute that is not listed is refused by name. The form around it, with its fields, is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, ParseError

from cookieguard.config.purposes import NECESSARY

Fault = tuple[str, str]
"""The fault, and the markup that is allowed instead."""

ELEMENTS = frozenset(
    "a abbr b bdi br button dd details div dl dt em fieldset h1 h2 h3 h4 hr i img input label legend li ol p s section "
    "small span strong sub summary sup time ul svg g path circle rect line polyline polygon".split()
)
# Elements that may be self-closing
ALONE = frozenset("br hr img input g path circle rect line polyline polygon svg".split())
ATTRIBUTES = frozenset(
    "class id lang dir title role href target rel src alt width height type name value checked disabled for open "
    "viewBox fill stroke stroke-width stroke-linecap stroke-linejoin d cx cy r x y x1 x2 y1 y2 rx ry points".split()
)
FREE = ("aria-", "data-")  # prefixes of attributes without an effect of their own
OF_CONTROLS = frozenset({"name", "type", "value", "checked", "disabled"})
OWN_SOURCE = re.compile(r"/(?!/)[!-~]*|data:image/[!-~]+")
LINK = re.compile(r"(?!\s*(?:javascript|data|vbscript)\s*:)[!-~]+", re.IGNORECASE)
CLOSED = re.compile(r"<([A-Za-z0-9]+)[^<>]*/>")
HEADINGS = {"banner.html": "cg-t", "embed.html": "t"}
CHOICES = ("save", "reject", "accept")


@dataclass(frozen=True, slots=True)
class RequiredParts:
    """Hold the texts that a rendered template must contain, and the addresses to which it must link."""

    words: tuple[tuple[str, str], ...]
    """Pairs of a template variable and its text; an empty text is not required."""
    links: tuple[tuple[str, str], ...]
    purposes: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    choices_url: str = ""


def faults_of_markup(name: str, markup: str, required: RequiredParts) -> Iterator[Fault]:
    """Yield the faults in the rendered output of the template `name`."""
    try:
        root = ElementTree.fromstring(f"<form>{markup}</form>")  # noqa: S314 - a file of the shop's, as its code is
    except ParseError as error:
        reason, line = str(error).partition(":")[0], error.position[0]
        yield (
            f"which does not render well-formed XML ({reason} in line {line} of its output)",
            "every element closed, every attribute with a value, and characters instead of &names;",
        )
        return
    faults = list(_foreign(root, markup))
    yield from faults or [*_missing(name, root, required), *JUDGES[name](root, required)]


def _foreign(root: Element, markup: str) -> Iterator[Fault]:
    """Yield markup that is not listed above, since it could run, load from elsewhere, or leave the form."""
    if "<!" in markup or "<?" in markup:
        yield "which contains <! or <?", "elements and text, with comments written as {# #}"
    for tag in CLOSED.findall(markup):
        if tag not in ALONE:
            yield f"which contains <{tag}/>, which HTML leaves open", f"<{tag}></{tag}>"
    for element in root.iter():
        if element is root:
            continue
        if element.tag not in ELEMENTS:
            yield f"which contains <{element.tag}>", f"the elements {', '.join(sorted(ELEMENTS))}"
        for attribute, value in element.attrib.items():
            yield from _of_attribute(element.tag, attribute, value)


def _of_attribute(tag: str, name: str, value: str) -> Iterator[Fault]:
    if name not in ATTRIBUTES and not name.startswith(FREE):
        yield (
            f"which has {name} on <{tag}>",
            "no scripts and no inline styles; style rules belong in the .css file of the same folder",
        )
    elif name in OF_CONTROLS and tag not in ("input", "button"):
        yield f"which has {name} on <{tag}>", f"{name} only on <input> and <button>"
    elif name == "src" and not OWN_SOURCE.fullmatch(value):
        yield f"which loads {value[:80]}", "a path on the shop's host such as /logo.svg, or data:image/..."
    elif name == "href" and not LINK.fullmatch(value):
        yield f"which links to {value[:80]!r}", "an address, or a path on the shop's own host"


def _missing(name: str, root: Element, required: RequiredParts) -> Iterator[Fault]:
    """Yield each heading, text and link that the template has to contain and does not."""
    heading = HEADINGS[name]
    if not any(element.get("id") == heading for element in root.iter()):
        yield (
            "which has no heading",
            f'an element with id="{heading}", whose text screen readers announce',
        )
    text, linked = " ".join("".join(root.itertext()).split()), _links(root)
    for variable, word in required.words:
        if " ".join(word.split()) not in text:
            yield f"which does not show {word[:80]!r}", f"a template with {{{{ {variable} }}}} in it"
    for variable, address in required.links:
        if address and address not in linked:
            yield f"which has no link to {address}", f'<a href="{{{{ {variable} }}}}">'


def _of_banner(root: Element, required: RequiredParts) -> Iterator[Fault]:
    buttons = _controls(root, "button")
    yield from _of_inputs(root, required.purposes)
    yield from _of_buttons(buttons, "choice", CHOICES)
    yield from _of_weight(root, buttons)
    if buttons and buttons[0].get("value") == "accept":
        yield (
            "which accepts when a visitor presses Enter in a field, since its first button accepts",
            "another button first",
        )
    boxes = {box.get("value") for box in _controls(root, "input")}
    has_all = boxes.issuperset(required.purposes) and any(button.get("value") == "save" for button in buttons)
    if required.purposes and not has_all and required.choices_url not in _links(root):
        yield (
            "which offers no choice by purpose",
            "a checkbox for each of `purposes` and a button with the value save, or a link to {{ choices_url }}",
        )


def _of_inputs(root: Element, purposes: Collection[str]) -> Iterator[Fault]:
    for field in _controls(root, "input"):
        kind, value = field.get("type"), field.get("value", "")
        if (kind, field.get("name")) != ("checkbox", "purpose") or value not in (*purposes, NECESSARY):
            allowed = '<input type="checkbox" name="purpose" value="{{ purpose.id }}"/>'
            yield f"which contains an <input> of type {kind!r} with the value {value[:40]!r}", allowed
        elif field.get("checked") is not None and value != NECESSARY:
            yield f"which ticks {value} in advance", "no `checked`: silence is no consent (CJEU C-673/17)"


def _of_buttons(buttons: list[Element], name: str, values: Collection[str]) -> Iterator[Fault]:
    for button in buttons:
        if (
            button.get("name") != name
            or button.get("value") not in values
            or button.get("type", "submit") != "submit"
        ):
            yield (
                f"which contains a button with the value {button.get('value', '')[:40]!r}",
                f'<button name="{name}" value="..."> with one of {", ".join(values)}',
            )


def _of_weight(root: Element, buttons: list[Element]) -> Iterator[Fault]:
    """Yield each way in which refusing is harder or less visible than accepting."""
    by_value = {
        act: [button for button in buttons if button.get("value") == act] for act in ("reject", "accept")
    }
    for value, found in by_value.items():
        if len(found) != 1:
            yield (
                f"which contains {len(found)} buttons with the value {value}",
                f'exactly one <button name="choice" value="{value}">',
            )
            return
    reject, accept = (found[0] for found in by_value.values())
    around = {child: parent for parent in root.iter() for child in parent}
    if around[reject] is not around[accept]:
        yield "whose two buttons are not in the same element", "both buttons side by side in one element"
    if any(parent.tag == "details" for parent in _ancestors(reject, around)):
        yield "whose two buttons are inside <details>", "both buttons outside <details>"
    if any(len(button) or not (button.text or "").strip() for button in (reject, accept)):
        yield "which has a button that is empty or contains elements", "only text in both buttons"
    if _weight(reject) != _weight(accept):
        yield (
            "whose two buttons have different attributes",
            "the same attributes on both buttons, except `value`",
        )


def _weight(button: Element) -> dict[str, str]:
    return {name: value for name, value in button.attrib.items() if name != "value"}


def _of_embed(root: Element, required: RequiredParts) -> Iterator[Fault]:
    buttons = _controls(root, "button")
    yield from _of_buttons(buttons, "act", required.acts)
    given = [button.get("value") for button in buttons]
    for act in required.acts:
        if act not in given:
            yield f"which has no button {act}", f'<button name="act" value="{act}"> where `{act}` is true'
    if _controls(root, "input"):
        yield "which contains an <input>", "only buttons"
    if "always" not in required.acts and required.choices_url not in _links(root):
        yield "which has no link to the choices", "a link to {{ choices_url }} where `always` is false"


JUDGES: Mapping[str, Callable[[Element, RequiredParts], Iterator[Fault]]] = {
    "banner.html": _of_banner,
    "embed.html": _of_embed,
}


def _controls(root: Element, tag: str) -> list[Element]:
    return list(root.iter(tag))


def _links(root: Element) -> set[str]:
    return {link.get("href", "") for link in root.iter("a")}


def _ancestors(element: Element, around: Mapping[Element, Element]) -> Iterator[Element]:
    while element in around:
        element = around[element]
        yield element
