"""The shop's own templates and style sheets: read once, and each judged in every language before anybody sees it."""

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
# What a template is given: docs/look.md says what each is.
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "banner.html": tuple("t lang purposes titles text privacy_url choices_url news note".split()),
    "embed.html": ("t", "lang", "offer", "title", "purpose", "privacy", "choices_url"),
}
SHEETS = ("banner.css", "embed.css", "page.css")
KNOWN = (*VARIABLES, *SHEETS)
BASE = "/_cg/"  # of what is rendered to be judged
# The banner stands in every page that an undecided visitor opens: ours has 3 KB.
MOST_BYTES = 16 * 1024

# Whichever begins first: in a string nothing is a comment, in a comment nothing a string.
COMMENT_OR_STRING = re.compile(r"(/\*.*?\*/)|\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)
STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
# It stands in a <style> of any page, in any encoding; an escape could hide each of the words below.
CHARACTERS = re.compile(r"[^\t\n -~]|[<&\\]")
LOADS = re.compile(r"(?:url|src|image|image-set)\(|@(?!media\b|supports\b|container\b)[a-z-]*", re.IGNORECASE)
PRELUDE = re.compile(r"([^{};]+)\{")
# All else could tell one of two elements that stand side by side with equal attributes from the other.
STATES = re.compile(
    r":has\(\[open\]\)|\[open\]|\[hidden\]|::(?:before|after|marker)"
    r"|:(?:hover|active|focus|focus-visible|focus-within|checked|disabled)(?![\w(-])"
)
SINGLES_OUT = re.compile(r"[+~:\[(]")
INSIDE = re.compile(r"#cg(?![\w-])")  # the banner's element, so that no rule of it reaches the page around

Case = tuple[Mapping[str, Any], RequiredParts]
"""What a template is given, and what it has to say then."""


@dataclass(frozen=True, slots=True)
class OwnTemplates:
    """Hold what the shop gave."""

    folder: str = ""
    templates: Mapping[str, Template] = field(default_factory=dict)
    sheets: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """All that was read, by file: a page that was kept before it changed is another one."""

    def rendered(self, name: str, given: Mapping[str, Any]) -> Markup:
        """Render the shop's template of a name; nothing where it has none."""
        template = self.templates.get(name)
        if template is None:
            return Markup()
        return Markup(template.render({one: given[one] for one in VARIABLES[name]}))  # noqa: S704 - it escapes


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
        names = sorted(one.name for one in folder.iterdir() if one.suffix in (".html", ".css"))
    except OSError as error:
        raise ConfigError(SETTING, was=f"{str(folder)!r} ({error.strerror})", allowed=allowed) from error
    for name in names:
        if name not in KNOWN:  # a name that is mistyped would be left out, and ours would stand there
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
    """Judge the shop's templates in each language; `given_in` says what one is given. Raises ConfigError.

    The shop's own language comes first: what is wrong in it is mostly wrong in all, and is told without naming one.
    """
    others = (one for one in languages if one != default)
    for lang, name in product((default, *others), own.templates):
        given = given_in(lang, base=BASE, choices_url=f"{BASE}choices")
        for values, said in CASES[name](given):
            _judge(own, name, values, said, "" if lang == default else lang)


def _banners(given: Mapping[str, Any]) -> Iterator[Case]:
    """Yield what a banner is given, with and without what pages say now and then."""
    asked = [one for one in given["purposes"] if not one.is_necessary]
    for news, note in product((Markup('<a href="/news">News</a>'), Markup()), ("A note.", "")):
        said = RequiredParts(
            words=(("note", note), ("news", news.striptags()), *(("titles", one.title) for one in asked)),
            links=(("privacy_url", given["privacy_url"]),),
            purposes=tuple(one.id for one in asked),
            choices_url=given["choices_url"],
        )
        yield {**given, "news": news, "note": note}, said


def _embeds(given: Mapping[str, Any]) -> Iterator[Case]:
    """Yield what a placeholder is given, for each thing that a click may do."""
    purpose, privacy = given["purposes"][-1].title, "/privacy"
    for once, always in ((True, True), (True, False), (False, True)):
        offer = Offer(party="@vendor X", name="Example Video", purpose="marketing", once=once, always=always)
        said = RequiredParts(
            words=(("offer.name", offer.name), ("purpose", purpose)),
            links=(("privacy", privacy),),
            acts=tuple(act for act, is_given in (("once", once), ("always", always)) if is_given),
            choices_url=given["choices_url"],
        )
        yield {**given, "offer": offer, "title": "", "purpose": purpose, "privacy": privacy}, said


CASES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Case]]] = {
    "banner.html": _banners,
    "embed.html": _embeds,
}


def _judge(own: OwnTemplates, name: str, given: Mapping[str, Any], said: RequiredParts, lang: str) -> None:
    folder = Path(own.folder)
    try:
        markup = own.rendered(name, given)
    except Exception as error:
        lines = [one.lineno for one in extract_tb(error.__traceback__) if one.filename.endswith(name)]
        where = f"line {lines[-1]}: " if lines else ""
        was = f"{folder / name} ({where}{type(error).__name__}: {error})"
        raise ConfigError(SETTING, was=was, allowed=f"the variables {', '.join(VARIABLES[name])}") from error
    size = len(markup.encode("ascii", "xmlcharrefreplace")) + sum(map(len, own.sheets.values()))
    if size > MOST_BYTES:
        was = f"{folder / name}, which has {size} bytes when rendered, with its style sheet"
        raise ConfigError(SETTING, was=was, allowed=f"at most {MOST_BYTES} bytes, since pages carry it")
    _refuse(folder, name, faults_of_markup(name, markup, said), lang)


def _refuse(folder: Path, name: str, faults: Iterator[Fault], lang: str = "") -> None:
    for fault, allowed in faults:
        of_language = f" in the language {lang!r}" if lang else ""
        raise ConfigError(SETTING, was=f"{folder / name}, {fault}{of_language}", allowed=allowed)


def plain(sheet: str) -> str:
    """Return a style sheet as it is judged and sent: in one line, without comments, what they part still apart."""
    return COMMENT_OR_STRING.sub(lambda one: " " if one[1] else one[0], sheet).replace("\n", " ")


def faults_of_sheet(name: str, sheet: str) -> Iterator[Fault]:
    """Yield what is wrong with a plain style sheet."""
    found = CHARACTERS.search(sheet)
    if found:
        yield f"which contains {found[0]!r}", "printable ASCII without <, & and backslashes"
        return
    for sign in ("/*", "*/"):
        if sign in sheet:
            yield f"which contains {sign}", "closed comments, none of which begins or ends inside a string"
    text = STRING.sub("''", sheet)
    for one in dict.fromkeys(LOADS.findall(text)):
        yield f"which contains {one}", "rules, @media, @supports and @container; nothing that loads a file"
    if text.count("{") != text.count("}"):
        yield "which contains a rule that is not closed", "one } for each {"
    for prelude in PRELUDE.findall(text):
        yield from _of_prelude(name, prelude.strip())


def _of_prelude(name: str, prelude: str) -> Iterator[Fault]:
    if prelude.startswith("@"):
        return
    for selector in (one.strip() for one in prelude.split(",")):
        if SINGLES_OUT.search(STATES.sub("", selector)):
            allowed = "elements, classes, ids, [open], :hover, :focus and others that both buttons share"
            yield f"whose selector {selector[:80]} may apply to one button only", allowed
        elif name == "banner.css" and not INSIDE.match(selector):
            yield f"which has the selector {selector[:80]}", "selectors that begin with #cg, the banner's id"
