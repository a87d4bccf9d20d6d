"""What is written twice, as regular expressions and as loops in C, says the same in both builds."""

from __future__ import annotations

import importlib
import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cookieguard
from cookieguard.html import scanner
from cookieguard.html.css import tokenizer as sheets
from cookieguard.html.fast import answers as known
from cookieguard.html.fast.byte_search import name_of
from cookieguard.html.grammar import TAG
from cookieguard.html.urls import Url
from tests.html.test_markup_ends import SHARDS

SEEDS = 6
ROUNDS = 400
REFERENCES = (
    r"""style=|background=|"|'| |=|PING|//|http:|https:|HTTPS:|h|ads|.|example|-|0|/|?|#|\|%2e|..|:|@|é|a|z/b| """
).split("|")


def source_of(module: ModuleType) -> Any:
    """Load the Python source of a module, whichever build runs."""
    _, *folders, name = module.__name__.split(".")
    path = Path(str(cookieguard.__file__)).parent.joinpath(*folders, f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"pure_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


pytestmark = pytest.mark.skipif(scanner() == "pure", reason="there is one build only")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_piece_is_a_slice(seed: int) -> None:
    pure, rnd = source_of(known), random.Random(seed)

    for _ in range(ROUNDS):
        text = rnd.randbytes(rnd.randint(0, 9))
        start, end = rnd.randint(0, 10), rnd.randint(0, 12)

        assert known.piece(text, start, end) == pure.piece(text, start, end) == text[start:end]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_list_the_same_attributes(seed: int) -> None:
    module = importlib.import_module("cookieguard.html.tokenizer.scanner")
    pure, rnd = source_of(module), random.Random(seed)

    for _ in range(ROUNDS):
        tag = f"<{rnd.choice(['a', 'IMG', 'x:A'])} {''.join(rnd.choices(REFERENCES, k=rnd.randint(0, 12)))}>".encode()
        end = name_of(tag)[1]
        if TAG.fullmatch(tag) is None:  # a quote stands open
            continue

        assert attributes(module, tag, end) == attributes(pure, tag, end)
        assert module.names_anywhere(tag, end) <= pure.names_anywhere(tag, end)


SHEET_PARTS = (
    r"""url(|URL(|-url(|xurl(|src(|x(|set(|mage(|fade(|"|'|\|\\|\6|\66666666|\75|\00006C|\g|\5b|\é|(|)| |@
|\@
|@import|@IMPORT |@import "|@import/**/'|@import/*|@imp|/*|*/|*|/|a|-|_|é|ﬁ|ﬁurl(|{|}|;|//ads.example/p|data:,x|data|@
'data:|\64 ata:|.""".replace("@\n", "")
    + "|\r|\f|\r\n|\\\r\n|\t"
).split("|")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_read_a_sheet_alike(seed: int) -> None:
    pure, rnd = source_of(sheets), random.Random(seed)

    for _ in range(ROUNDS * 10):
        text = "".join(rnd.choices(SHEET_PARTS, k=rnd.randint(0, 20)))

        assert sheets.imports(text) == pure.imports(text)
        assert sheets.escapes_letters(text) == pure.escapes_letters(text)
        assert sheets.urls_in(text) == pure.urls_in(text)
        assert sheets.comments(text) == pure.comments(text)
        assert sheets.places(text, "/", "*") == pure.places(text, "/", "*")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_look_at_the_same_tags(seed: int) -> None:
    module = importlib.import_module("cookieguard.html.tokenizer.scanner")
    both = [one.Scanner(xml=bool(seed % 2)) for one in (module, source_of(module))]
    rnd = random.Random(seed)
    found = 0

    for _ in range(1200):
        page = "".join(rnd.choices(["<", "</", "a", "b ", "=", "'", '"', ">", "/", "!", "?", "1", "é"], k=12))
        data = page.encode()
        for position in range(len(data)):
            for one in both:
                one.look(data, position)
            assert both[0].end == both[1].end, (data, position)
            found += both[0].end >= 0
    assert found > 50


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_know_the_same(seed: int) -> None:
    rnd = random.Random(seed)
    both = [known.Known(), source_of(known).Known()]
    keys = [rnd.randbytes(rnd.choice([0, 1, 7, 8, 9, 31, 32, 33, 70])) for _ in range(800)]

    for number, key in enumerate(rnd.choices(keys, k=3000)):
        for one in both:
            one[key] = number
    answers = [[one.find(b"<%b>" % key, 1, 1 + len(key)) for key in keys] for one in both]

    forgotten = answers[0].count(None) - answers[1].count(None)  # one that had no room near its place
    assert all(mine in (right, None) for mine, right in zip(*answers, strict=True))
    assert 0 <= forgotten <= len(keys) // 100
    assert len(both[0]) == len(set(both[0])) == len(both[1]) - forgotten
    both[0].clear()
    assert both[0].get(keys[0]) is None


def attributes(one: Any, tag: bytes, end: int) -> list[tuple[object, ...]]:
    """List all attributes of a tag."""
    return [(x.name, x.start, x.raw, x.value_start, x.end, x.quote) for x in one.all_attributes(tag, end)]


def test_a_record_is_its_named_tuple_in_a_dict_too() -> None:
    fields = ("https", "ads.example", None, "/p")
    one, usual = known.record(Url, fields), Url(*fields)

    assert one == usual
    assert type(one) is Url
    assert hash(one) == hash(usual)


@pytest.mark.parametrize("xml", [False, True])
def test_both_builds_pass_markup_alike(xml: bool) -> None:
    module = importlib.import_module("cookieguard.html.tokenizer.scanner")
    pure, rnd, far = source_of(module), random.Random(11), 0
    for _ in range(20_000):
        text = "".join(rnd.choices(SHARDS, k=rnd.randint(1, 12))).encode("latin-1")

        passed = module.pass_markup(b"script", text, 0, 2, xml)

        assert passed == pure.pass_markup(b"script", text, 0, 2, xml), text
        far += passed[0] > len(text) // 2
    assert far > 2000
