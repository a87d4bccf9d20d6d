"""Read the shop's own templates and style sheets at start, and check each in every language before it is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from traceback import extract_tb
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template, TemplateSyntaxError
from markupsafe import Markup

from cookieguard.config import LookSettings
from cookieguard.errors import ConfigError
from cookieguard.web.banner.own_markup import Fault, RequiredParts, faults_of_markup
from cookieguard.web.banner.placeholder_values import Offer

SETTING = "look.templates"
# The variables of each template; docs/look.md describes them.
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "banner.html": tuple("t lang purposes titles text privacy_url choices_url news note".split()),
    "embed.html": ("t", "lang", "offer", "title", "purpose", "privacy", "choices_url"),
}
SHEETS = ("banner.css", "embed.css", "page.css")
KNOWN = (*VARIABLES, *SHEETS)
BASE = "/_cg/"  # of the addresses in what is rendered for the check
# Every page that an undecided visitor opens contains the banner. Ours has 3 KB.
MOST_BYTES = 16 * 1024

# The first to begin wins: a comment may not begin inside a string, nor a string inside a comment.
COMMENT_OR_STRING = re.compile(r"(/\*.*?\*/)|\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)
STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
# The sheet is inserted into the <style> of pages in any encoding, so it is ASCII. An escape could hide a word below.
CHARACTERS = re.compile(r"[^\t\n -~]|[<&\\]")
LOADS = re.compile(r"(?:url|src|image|image-set)\(|@(?!media\b|supports\b|container\b)[a-z-]*", re.IGNORECASE)
PRELUDE = re.compile(r"([^{};]+)\{")
# Pseudo-classes that apply alike to two sibling elements with equal attributes; any other could style one of them.
STATES = re.compile(
    r":has\(\[open\]\)|\[open\]|\[hidden\]|::(?:before|after|marker)"
    r"|:(?:hover|active|focus|focus-visible|focus-within|checked|disabled)(?![\w(-])"
)
SINGLES_OUT = re.compile(r"[+~:\[(]")
INSIDE = re.compile(r"#cg(?![\w-])")  # the banner's element; without it a rule could style the page around it

Case = tuple[Mapping[str, Any], RequiredParts]
"""A template's variables, and the parts that it must then contain."""


@dataclass(frozen=True, slots=True)
class OwnTemplates:
    """Hold the templates and style sheets that the shop gave, by file name."""

    folder: str = ""
    templates: Mapping[str, Template] = field(default_factory=dict)
    sheets: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """The text of each file; when one changes, pages rendered from the old text become stale."""

    def rendered(self, name: str, given: Mapping[str, Any]) -> Markup:
        """Return the output of the shop's template `name`; empty if the shop gave none."""
        template = self.templates.get(name)
        if template is None:
            return Markup()
        return Markup(template.render({key: given[key] for key in VARIABLES[name]}))  # noqa: S704 - it escapes


def read_own(look: LookSettings, environment: Environment) -> OwnTemplates:
    """Read the folder that `look.templates` names; raises ConfigError, naming the file."""
    if not look.templates:
        return OwnTemplates()
    folder = Path(look.templates)
    texts = dict(_texts(folder))
    if not texts:
        allowed = f"a folder with one or more of {', '.join(KNOWN)}"
        raise ConfigError(SETTING, was=f"{str(folder)!r} (it contains none of these)", allowed=allowed)
    own = environment.overlay(loader=FileSystemLoader(folder))
    sheets = {name: plain(text) for name, text in texts.items() if name in SHEETS}
    for name, sheet in sheets.items():
        _refuse(folder, name, faults_of_sheet(name, sheet))
    templates = {name: _compiled(own, folder, name) for name in VARIABLES if name in texts}
    return OwnTemplates(look.templates, templates, sheets, texts)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    allowed = f"a folder with one or more of {', '.join(KNOWN)}"
    try:
        names = sorted(file.name for file in folder.iterdir() if file.suffix in (".html", ".css"))
    except OSError as error:
        raise ConfigError(SETTING, was=f"{str(folder)!r} ({error.strerror})", allowed=allowed) from error
    for name in names:
        if name not in KNOWN:  # ignoring a mistyped name would show our template instead
            raise ConfigError(SETTING, was=f"{str(folder)!r}, which contains {name}", allowed=allowed)
        try:
            yield name, (folder / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ConfigError(
                SETTING, was=f"{folder / name} ({reason})", allowed="a readable file in UTF-8"
            ) from error


def _compiled(environment: Environment, folder: Path, name: str) -> Template:
    try:
        return environment.get_template(name)
    except TemplateSyntaxError as error:
        was = f"{folder / name} (line {error.lineno}: {error.message})"
        raise ConfigError(SETTING, was=was, allowed="a valid Jinja template") from error


def judge_own(
    own: OwnTemplates, default: str, languages: Iterable[str], given_in: Callable[..., Mapping[str, Any]]
) -> None:
    """Check the shop's templates in each language; `given_in` returns a template's variables. Raises ConfigError.

    The shop's default language comes first. A fault in it is mostly a fault in all, so its error names no language.
    """
    others = (language for language in languages if language != default)
    for lang, name in product((default, *others), own.templates):
        given = given_in(lang, base=BASE, choices_url=f"{BASE}choices")
        for values, required in CASES[name](given):
            _judge(own, name, values, required, "" if lang == default else lang)


def _banners(given: Mapping[str, Any]) -> Iterator[Case]:
    """Yield the cases of a banner: with and without a note, and with and without news of the policy."""
    asked = [purpose for purpose in given["purposes"] if not purpose.is_necessary]
    for news, note in product((Markup('<a href="/news">News</a>'), Markup()), ("A note.", "")):
        required = RequiredParts(
            words=(("note", note), ("news", news.striptags()), *(("titles", p.title) for p in asked)),
            links=(("privacy_url", given["privacy_url"]),),
            purposes=tuple(purpose.id for purpose in asked),
            choices_url=given["choices_url"],
        )
        yield {**given, "news": news, "note": note}, required


def _embeds(given: Mapping[str, Any]) -> Iterator[Case]:
    """Yield the cases of a placeholder: each combination of the buttons "load once" and "always"."""
    purpose, privacy = given["purposes"][-1].title, "/privacy"
    for once, always in ((True, True), (True, False), (False, True)):
        offer = Offer(party="@vendor X", name="Example Video", purpose="marketing", once=once, always=always)
        required = RequiredParts(
            words=(("offer.name", offer.name), ("purpose", purpose)),
            links=(("privacy", privacy),),
            acts=tuple(act for act, is_given in (("once", once), ("always", always)) if is_given),
            choices_url=given["choices_url"],
        )
        yield {**given, "offer": offer, "title": "", "purpose": purpose, "privacy": privacy}, required


CASES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Case]]] = {
    "banner.html": _banners,
    "embed.html": _embeds,
}


def _judge(
    own: OwnTemplates, name: str, given: Mapping[str, Any], required: RequiredParts, lang: str
) -> None:
    folder = Path(own.folder)
    try:
        markup = own.rendered(name, given)
    except Exception as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename.endswith(name)]
        where = f"line {lines[-1]}: " if lines else ""
        was = f"{folder / name} ({where}{type(error).__name__}: {error})"
        raise ConfigError(SETTING, was=was, allowed=f"the variables {', '.join(VARIABLES[name])}") from error
    size = len(markup.encode("ascii", "xmlcharrefreplace")) + sum(map(len, own.sheets.values()))
    if size > MOST_BYTES:
        was = f"{folder / name}, which has {size} bytes when rendered, with its style sheet"
        raise ConfigError(SETTING, was=was, allowed=f"at most {MOST_BYTES} bytes, since pages carry it")
    _refuse(folder, name, faults_of_markup(name, markup, required), lang)


def _refuse(folder: Path, name: str, faults: Iterator[Fault], lang: str = "") -> None:
    for fault, allowed in faults:
        of_language = f" in the language {lang!r}" if lang else ""
        raise ConfigError(SETTING, was=f"{folder / name}, {fault}{of_language}", allowed=allowed)


def plain(sheet: str) -> str:
    """Return a style sheet in the form that is checked and sent: in one line, with a space for each comment."""
    return COMMENT_OR_STRING.sub(lambda match: " " if match[1] else match[0], sheet).replace("\n", " ")


def faults_of_sheet(name: str, sheet: str) -> Iterator[Fault]:
    """Yield the faults of a plain style sheet: what loads a file, and selectors that could match one button only."""
    found = CHARACTERS.search(sheet)
    if found:
        yield f"which contains {found[0]!r}", "printable ASCII without <, & and backslashes"
        return
    for sign in ("/*", "*/"):
        if sign in sheet:
            yield f"which contains {sign}", "closed comments, none of which begins or ends inside a string"
    text = STRING.sub("''", sheet)
    for loader in dict.fromkeys(LOADS.findall(text)):
        yield f"which contains {loader}", "rules, @media, @supports and @container; nothing that loads a file"
    if text.count("{") != text.count("}"):
        yield "which contains a rule that is not closed", "one } for each {"
    for prelude in PRELUDE.findall(text):
        yield from _of_prelude(name, prelude.strip())


def _of_prelude(name: str, prelude: str) -> Iterator[Fault]:
    if prelude.startswith("@"):
        return
    for selector in map(str.strip, prelude.split(",")):
        if SINGLES_OUT.search(STATES.sub("", selector)):
            allowed = "elements, classes, ids, [open], :hover, :focus and others that both buttons share"
            yield f"whose selector {selector[:80]} may apply to one button only", allowed
        elif name == "banner.css" and not INSIDE.match(selector):
            yield f"which has the selector {selector[:80]}", "selectors that begin with #cg, the banner's id"
