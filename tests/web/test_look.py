"""How the banner looks: layouts, the shop's own colours and font, and the colours of placeholders."""

from __future__ import annotations

import gzip

import pytest

from cookieguard.config import Config, LookSettings, config_from_mapping
from cookieguard.config.look import LAYOUTS, VARIABLES
from cookieguard.consent import Allowance, Way
from cookieguard.errors import ConfigError
from cookieguard.web.banner.renderer import Renderer

BASE = "/_cg/"
FILE = Allowance(Way.FILE)
HEAVIEST = ("bg", "el", "uk")  # letters of two bytes, long words
RENDERERS = {layout: Renderer(Config(look=LookSettings(layout=layout))) for layout in LAYOUTS}


def sheet(renderer: Renderer, name: str) -> str:
    return next(one.content.decode() for one in renderer.assets.values() if one.name.startswith(name))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_stays_within_the_budget_of_the_banner(layout: str) -> None:
    for lang in HEAVIEST:
        banner = RENDERERS[layout].banner(lang, base=BASE, next_="/product/12", script=Allowance(Way.NONE))

        assert len(gzip.compress(banner, 9, mtime=0)) <= 3072


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_rule_of_a_layout_tells_refusing_from_accepting(layout: str) -> None:
    rules = sheet(RENDERERS[layout], "banner.")

    assert "inset" in rules
    assert not [one for one in ("reject", "accept", "[value", ":nth", ":first", ":last", "~") if one in rules]


def test_layouts_differ_in_their_sheet_alone() -> None:
    sheets = {sheet(one, "banner.") for one in RENDERERS.values()}
    markup = {one.banner("en", base=BASE, next_="/", style=Allowance(Way.NONE)) for one in RENDERERS.values()}

    assert (len(sheets), len(markup)) == (3, 1)


def test_colours_of_the_settings_reach_banner_placeholder_and_choices() -> None:
    values = {name: f"#{number}a{number}b{number}c" for number, name in enumerate(VARIABLES)}
    renderer = Renderer(Config(look=LookSettings(**values)))

    for name in ("banner.", "embed.", "page."):
        rules = sheet(renderer, name)
        for variable, value in values.items():
            assert f"--cg-{variable.replace('_', '-')}:{value};" in rules
            if variable != "radius":
                assert f"var(--cg-{variable.replace('_', '-')}," in rules
    assert "--cg-button:" not in sheet(RENDERERS["bar"], "banner.").replace("var(--cg-button", "")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "popup"}, "look.layout is 'popup'; allowed: 'bar', 'card', 'sheet'"),
        ({"colour": "red"}, "look.colour is not a known setting"),
        ({"button": "red;display:none"}, "look.button is 'red;display:none'; allowed: one CSS value"),
        ({"button": "red}#cg{opacity:0"}, "look.button is"),
        (
            {"background": "url(//x.example/a)"},
            "look.background is 'url(//x.example/a)'; allowed: one CSS value",
        ),
        ({"background": "IMAGE-SET('//x.example/a' 1x)"}, "look.background is"),
        ({"font": "</style><script>"}, "look.font is"),
        ({"font": "\\75rl(x)"}, "look.font is"),
        ({"text": 3}, "look.text is 3; allowed: text"),
    ],
)
def test_a_value_that_is_more_than_one_value_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"look": settings})

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "value", ["#7a1f3d", "light-dark(#fff, #181b21)", "rgb(10 20 30 / 50%)", "'Open Sans', serif"]
)
def test_one_css_value_is_taken(value: str) -> None:
    assert LookSettings(background=value).declarations == f"--cg-background:{value};"
