"""The shop's own templates replace ours, and are refused by name if they would bias the choice."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from harness.servers import ROOT

from cookieguard.check import examine
from cookieguard.config import Config, LookSettings, Purpose
from cookieguard.config.policy import PolicyVersion
from cookieguard.errors import ConfigError
from cookieguard.web.banner.free_choice import faults_of
from cookieguard.web.banner.own_templates import VARIABLES
from cookieguard.web.banner.renderer import Renderer

BASE = "/_cg/"
BANNER = """\
<img src="/logo.svg" alt="" width="40" height="40"/>
<h2 id="cg-t">{{ t.banner.title }}</h2>
<p>{{ text }}{% if privacy_url %} <a href="{{ privacy_url }}">{{ t.banner.privacy }}</a>{% endif %}</p>
{% if news %}<p>{{ news }}</p>{% endif %}
{% if note %}<p>{{ note }}</p>{% endif %}
<p><a href="{{ choices_url }}">{{ t.control.choices }}</a></p>
<div class="shop-row">
<button name="choice" value="reject">{{ t.banner.refuse }}</button>
<button name="choice" value="accept">{{ t.banner.accept }}</button>
</div>
"""
BOXES = """\
{% for one in purposes %}<label><input type="checkbox" name="purpose" value="{{ one.id }}"
{%- if one.is_necessary %} checked="" disabled=""{% endif %}/> {{ one.title }}</label>{% endfor %}
<div><button name="choice" value="save">{{ t.banner.save }}</button></div>
"""
EMBED = """\
<h1 id="t">{{ offer.name }}</h1><p>{{ purpose }}
{%- if privacy %}<a href="{{ privacy }}">{{ t.banner.privacy }}</a>{% endif %}</p>
{% if offer.once %}<button name="act" value="once">{{ t.embed.once }}</button>{% endif %}
{% if offer.always %}<button name="act" value="always">{{ t.embed.always|fill("purpose", purpose) }}</button>
{% else %}<a href="{{ choices_url }}">{{ t.control.choices }}</a>{% endif %}
"""
REJECT = '<button name="choice" value="reject">{{ t.banner.refuse }}</button>'
ACCEPT = '<button name="choice" value="accept">{{ t.banner.accept }}</button>'
CHOICES = '<p><a href="{{ choices_url }}">{{ t.control.choices }}</a></p>\n'


def own(folder: Path, **files: str) -> Config:
    """Return the configuration of a shop with these files: `banner_html` is banner.html."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    policy = PolicyVersion(privacy_url="/privacy")
    return Config(look=LookSettings(templates=str(folder)), policy=policy)


def test_the_shops_banner_stands_in_our_form_in_every_language(tmp_path: Path) -> None:
    config = own(tmp_path, banner_html=BANNER, banner_css="#cg .shop-row { display: flex; gap: 1em }")
    renderer = Renderer(config)

    for lang in config.languages:
        banner = renderer.banner(lang, base=BASE, next_="/mug").decode("ascii")
        open_ = renderer.banner(lang, base=BASE, next_="/mug", shadow=False)
        form = ElementTree.fromstring(open_).find(".//form")

        assert form is not None
        assert (form.get("action"), form.get("method")) == ("/_cg/consent", "post")
        assert {one.get("name"): one.get("value") for one in form.iter("input")} == {
            "next": "/mug",
            "banner": f"{renderer.banner_hash(lang)}.",
        }
        assert "#cg .shop-row" in banner
        assert "cg-m" not in ElementTree.tostring(form, "unicode")
        assert faults_of(banner) == []


def test_boxes_of_the_shops_do_in_place_of_the_link(tmp_path: Path) -> None:
    banner = BANNER.replace(CHOICES, BOXES)

    shown = Renderer(own(tmp_path, banner_html=banner)).banner("en", base=BASE, next_="/").decode()

    assert shown.count('name="purpose"') == 3  # nothing has preferences
    assert "choices?" not in shown.partition("<form")[2].partition("</form>")[0]


def test_the_receipt_names_the_shops_own_wording(tmp_path: Path) -> None:
    first = Renderer(own(tmp_path, banner_html=BANNER, embed_html=EMBED))
    second = Renderer(own(tmp_path, banner_html=BANNER.replace("</p>", " Please.</p>", 1), embed_html=EMBED))

    assert first.banner_hash("en") != second.banner_hash("en") != Renderer(Config()).banner_hash("en")
    assert b"Please." in second.wordings[second.banner_hash("en")]
    assert not set(first.wordings) & {second.banner_hash("en")}


def test_ours_stands_where_no_folder_is_named() -> None:
    assert b"cg-m" in Renderer(Config()).banner("en", base=BASE, next_="/")


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (REJECT, "", "0 buttons with the value reject"),
        (ACCEPT, "", "0 buttons with the value accept"),
        (REJECT, REJECT.replace("<button", '<button class="pale"'), "two buttons have different attributes"),
        (REJECT, REJECT.replace("<button", '<button hidden=""'), "which has hidden on <button>"),
        (REJECT, REJECT.replace("<button", '<button style="opacity:.2"'), "which has style on <button>"),
        (REJECT, REJECT.replace("<button", '<button disabled=""'), "two buttons have different attributes"),
        (REJECT, REJECT.replace("{{ t.banner.refuse }}", ""), "a button that is empty or contains elements"),
        (REJECT, f"<details><summary>No</summary>{REJECT}</details>", "not in the same element"),
        (REJECT, f"<p>{REJECT}</p>", "not in the same element"),
        (REJECT, '<a href="/no">No</a>', "0 buttons with the value reject"),
        (f"{REJECT}\n{ACCEPT}", f"{ACCEPT}\n{REJECT}", "accepts when a visitor presses Enter"),
        (CHOICES, "", "offers no choice by purpose"),
        (
            CHOICES,
            BOXES.replace("{%- if one.is_necessary %}", "{%- if true %}"),
            "ticks statistics in advance",
        ),
        (CHOICES, BOXES.replace('"checkbox"', '"hidden"'), "contains an <input> of type 'hidden'"),
        (CHOICES, CHOICES + '<input type="hidden" name="purpose" value="marketing"/>', "type 'hidden'"),
        (CHOICES, CHOICES + "<form></form>", "contains <form>"),
        (CHOICES, CHOICES + '<button name="choice" value="all">x</button>', "a button with the value 'all'"),
        (REJECT, REJECT.replace("<button", '<button formaction="/x"'), "which has formaction on <button>"),
        (CHOICES, CHOICES + "<script>accept()</script>", "contains <script>"),
        (CHOICES, CHOICES + '<b onclick="x()">b</b>', "which has onclick on <b>"),
        (CHOICES, CHOICES + '<a href="javascript:x()">b</a>', "links to 'javascript:x()'"),
        ('src="/logo.svg"', 'src="https://ads.example/p.gif"', "loads https://ads.example/p.gif"),
        ('src="/logo.svg"', 'src="//ads.example/p.gif"', "loads //ads.example/p.gif"),
        (CHOICES, CHOICES + "<span/>", "contains <span/>, which HTML leaves open"),
        (CHOICES, CHOICES + "<br>", "does not render well-formed XML"),
        (CHOICES, CHOICES + "<p>&nbsp;</p>", "does not render well-formed XML"),
        (CHOICES, CHOICES + "<!-- x -->", "contains <! or <?"),
        (' id="cg-t"', "", "has no heading"),
        ("{{ text }}", "We use cookies.", "{{ titles }} in it"),
        ('<a href="{{ privacy_url }}">', '<a href="/imprint">', '<a href="{{ privacy_url }}">'),
        ("<p>{{ news }}</p>", "", "{{ news }} in it"),
        ("<p>{{ note }}</p>", "", "{{ note }} in it"),
        ("{{ text }}", "{{ txt }}", "line 3: UndefinedError: 'txt' is undefined"),
        ("{{ text }}", "{{ text }", "line 3"),
        ("{{ text }}", "{{ text }}" + "x" * 20_000, "bytes when rendered"),
        ("{{ text }}", "{% if lang != 'el' %}{{ text }}{% endif %}", "in the language 'el'"),
    ],
)
def test_banner_template_without_a_required_part_is_refused_by_its_name(
    tmp_path: Path, was: str, now: str, told: str
) -> None:
    assert was in BANNER
    config = own(tmp_path, banner_html=BANNER.replace(was, now))

    with pytest.raises(ConfigError) as caught:
        Renderer(config)

    assert str(caught.value).startswith(f"look.templates is {tmp_path / 'banner.html'}")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("in the language" in str(caught.value)) == ("in the language" in told)


@pytest.mark.parametrize(
    ("sheet", "told"),
    [
        ("#cg [value=reject] { color: #ccc }", "may apply to one button only"),
        ("#cg button + button { color: #ccc }", "may apply to one button only"),
        ("#cg button:first-child { color: #ccc }", "may apply to one button only"),
        ("@media (width > 1px) { #cg button:not(.x) { color: #ccc } }", "may apply to one button only"),
        ("button { color: #ccc }", "selectors that begin with #cg"),
        ("#cgx { color: #ccc }", "selectors that begin with #cg"),
        ("#cg, body { color: #ccc }", "selectors that begin with #cg"),
        ("#cg { background: url(https://ads.example/p.gif) }", "contains url("),
        # What begins in a string is no comment.
        ('#cg ::before { content: "/*" url(//ads.example/p.gif) "*/" }', "contains /*"),
        ("#cg p { content: '/*' } #cg [value] { opacity: 0 } #cg p { content: '*/' }", "contains /*"),
        ("#cg { color: red } /* no end", "contains /*"),
        ("@import 'https://ads.example/x.css';", "contains @import"),
        ("@font-face { font-family: x }", "contains @font-face"),
        ("#cg { background: u\\72l(x) }", "backslashes"),
        ("#cg { content: '</style>' }", "without <, &"),
        ("#cg { content: '\u00e4' }", "printable ASCII"),
        ("#cg { color: red", "one } for each {"),
    ],
)
def test_a_sheet_that_loads_or_singles_out_is_refused(tmp_path: Path, sheet: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Renderer(own(tmp_path, banner_css=sheet))

    assert "banner.css" in str(caught.value)
    assert told in str(caught.value)


def test_style_sheets_words_split_by_comments_or_lines_stay_split(tmp_path: Path) -> None:
    sheet = '#cg form/* " */p { background: u/**/rl(//ads.example/p.gif) }\n#cg\n.row { color: u\nrl(x) }'

    renderer = Renderer(own(tmp_path, banner_css=sheet))

    sent = next(one.content for one in renderer.assets.values() if one.name.startswith("banner."))
    assert sent.endswith(b"#cg form p { background: u rl(//ads.example/p.gif) } #cg .row { color: u rl(x) }")


def test_a_sheet_of_plain_rules_is_taken_in_every_place(tmp_path: Path) -> None:
    states = "#cg button:hover, #cg summary::before, #cg :has([open])>.cg-s { color: #123456 }"
    config = own(
        tmp_path, banner_css=states, embed_css="h1 { color: #654321 }", page_css="h1 { color: #111111 }"
    )
    sheets = (one for one in Renderer(config).assets.values() if one.name.endswith(".css"))
    assets = {one.name.partition(".")[0]: one.content for one in sheets}

    assert b"#123456" in assets["banner"]
    assert b"#654321" in assets["embed"]
    assert b"#111111" in assets["page"]


def test_the_shops_placeholder_is_judged_and_shown(tmp_path: Path) -> None:
    Renderer(own(tmp_path, embed_html=EMBED))

    for was, told in {
        '<button name="act" value="once">{{ t.embed.once }}</button>': "has no button once",
        "{{ offer.name }}": "{{ offer.name }} in it",
        "{{ privacy }}": '<a href="{{ privacy }}">',
        "{{ choices_url }}": "has no link to the choices",
    }.items():
        with pytest.raises(ConfigError) as caught:
            Renderer(own(tmp_path, embed_html=EMBED.replace(was, "x")))
        assert told in str(caught.value)


def test_a_folder_that_is_missing_empty_or_holds_a_mistyped_name_is_an_error(tmp_path: Path) -> None:
    for folder, told in {
        "none": "No such file",
        "empty": "it contains none of these",
        "typo": "which contains baner.html",
    }.items():
        place = tmp_path / folder
        if folder != "none":
            place.mkdir()
        if folder == "typo":
            (place / "baner.html").write_text(BANNER)
        with pytest.raises(ConfigError) as caught:
            Renderer(Config(look=LookSettings(templates=str(place))))
        assert told in str(caught.value)
        assert "banner.html" in str(caught.value)


def test_words_of_a_purpose_of_the_shops_own_are_asked_for_too(tmp_path: Path) -> None:
    extra = Purpose(id="fitting", title={"en": "Virtual fitting"}, description={"en": "Tries mugs on."})
    look = own(tmp_path, banner_html=BANNER.replace("{{ text }}", "We use cookies.")).look
    with pytest.raises(ConfigError):
        Renderer(Config(look=look, purposes=(extra,)))


def test_templates_shown_in_docs_look_are_accepted(tmp_path: Path) -> None:
    section = (ROOT / "docs/look.md").read_text().partition("## Your own templates")[2]
    markup, sheet = (re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)[0] for kind in ("html", "css"))

    shown = Renderer(own(tmp_path, banner_html=markup, banner_css=sheet)).banner("en", base=BASE, next_="/")

    assert b"Mugs, and a question" in shown
    assert b".mugs-row button" in shown
    for name, variables in VARIABLES.items():
        for variable in variables:
            assert re.search(rf"`{variable}`", section), (name, variable)


def test_check_judges_the_shops_banner(tmp_path: Path) -> None:
    config = own(tmp_path, banner_html=BANNER)

    said = {one.check: one for one in examine(config, today=datetime(2026, 11, 28, tzinfo=UTC).date())}

    assert said["banner"].is_fine
