"""What is written twice, as regular expressions and as loops in C, says the same in both builds."""

from __future__ import annotations

import importlib
import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cookieguard.html
from cookieguard.html import (
    flows,
    functions,
    glances,
    known,
    names,
    pieces,
    reading,
    scanner,
    sheets,
    suspects,
)
from cookieguard.html.urls import Url
from tests.html.test_markup_ends import SHARDS
from tests.html.test_scripts import LOADERS, LOADS, scripts_with_one_url
from tests.html.test_ways import WAYS

SEEDS = 6
SCRIPTS_A_SEED = 400
PARTS = (
    (
        r"""'//ads.example/p'|"a\"b"|`a${b(c)}d`|`${|"|'|`|\|/x[/]y/g|/* c */|@
/*|// c|:// |///|return /x/|= /y/|(|)|[|]|{|}|,|@
;|:|=|
|+|?|.| |fetch(|.src|.src =|src:|url:|import |from |$import|x.load(|['write'](|[] (|@
write |.innerHTML +=|]=|"http:"|'https:'|"//"|'//x.'|@
loadingOfAVeryLongNameWithManyLettersBehindItSoThatItIsTooFarAwayForIt(|\/\/ads.example|\x2f\x2fads.example|//A_b-c.example:80802|//a..b.|//1.2.3.4|//é.example|//https://|//http.a|@
//u@ads.example|//${h}.ads.example/|a.b|url(|SRC(|-x(|image-set(|cross-fade(|ﬁurl(|//www.w3.org/2000/svg|@
return|=>|=> |typeof |case|else |throw | $case|=   |{ |/'/g|/"/|/[/"]/|\t|@
LINE|LINE//c|PARAGRAPH|é|.case|$return|END|END  |END  / |/2"""
    )
    .replace("@\n", "")
    .replace("LINE", "\r")
    .replace("END", "\n")
    .replace("PARAGRAPH", "\u2028")
    .split("|")
)
REFERENCES = r"""//|http:|https:|HTTPS:|h|ads|.|example|-|0|/|?|#|\|%2e|..|:|@|é|a|z/b| """.split("|")


def source_of(module: ModuleType) -> Any:
    """Load the Python source of a module, whichever build runs."""
    name = module.__name__.rpartition(".")[2]
    path = Path(str(cookieguard.html.__file__)).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"pure_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


pytestmark = pytest.mark.skipif(scanner() == "pure", reason="there is one build only")


def texts_of(seed: int) -> list[str]:
    rnd = random.Random(seed)
    return ["".join(rnd.choices(PARTS, k=rnd.randint(0, 30))) for _ in range(SCRIPTS_A_SEED)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_cut_and_glance_at_a_script_alike(seed: int) -> None:
    pure_pieces, pure, pure_suspects = source_of(pieces), source_of(glances), source_of(suspects)

    for text in texts_of(seed):
        script = text.encode()
        code, _ = cut = pieces.cut(script)

        assert cut == pure_pieces.cut(script)
        assert glances.named_hosts(script) == pure.named_hosts(script)
        assert glances.host_places(script) == pure.host_places(script)
        assert list(map(glances.plain_host, pure.named_hosts(script))) == list(
            map(pure.plain_host, pure.named_hosts(script))
        )
        assert glances.has_glue(script) == pure.has_glue(script)
        assert glances.loaded_host(script) == pure.loaded_host(script)
        assert suspects.bare_hosts(script) == pure_suspects.bare_hosts(script)
        assert glances.has_sink(code) == pure.has_sink(code)
        sparse = script + b";" * (
            script.count(b"(") * 200
        )  # as data are: only then the pure build looks closer
        assert glances.may_have_sink(sparse) >= pure.may_have_sink(sparse) >= pure.has_sink(code)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_know_alike_which_host_a_script_loads_from_for_sure(seed: int) -> None:
    pure = source_of(glances)
    scripts = scripts_with_one_url(seed)

    assert [glances.loaded_host(one) for one in scripts] == [pure.loaded_host(one) for one in scripts]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_find_characters_of_two_bytes_alike(seed: int) -> None:
    pure, rnd = source_of(glances), random.Random(seed)
    found = 0

    for _ in range(SCRIPTS_A_SEED * 4):
        signs = [
            b"\\",
            b"`",
            b"a",
            b"\x80",
            b"\x81",
            b"\xfe",
            b"\xff",
            "é".encode(),
            "\u8b5c".encode(),
            b"\xc3",
        ]
        text = b"".join(rnd.choices(signs, k=rnd.randint(0, 6)))

        assert glances.has_pairs(text) == pure.has_pairs(text), text
        found += glances.has_pairs(text)
    assert found > SCRIPTS_A_SEED // 4


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_piece_is_a_slice(seed: int) -> None:
    pure, rnd = source_of(known), random.Random(seed)

    for _ in range(SCRIPTS_A_SEED):
        text = rnd.randbytes(rnd.randint(0, 9))
        start, end = rnd.randint(0, 10), rnd.randint(0, 12)

        assert known.piece(text, start, end) == pure.piece(text, start, end) == text[start:end]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_glance_at_a_tag_alike(seed: int) -> None:
    compiled = importlib.import_module("cookieguard.html.scanner")
    pure_scanner = source_of(compiled)
    pure, rnd = source_of(glances), random.Random(seed)

    for _ in range(SCRIPTS_A_SEED):
        reference = "".join(rnd.choices(REFERENCES, k=rnd.randint(0, 8)))
        words = [
            "http-EQUIV",
            "-2312",
            "Referrer",
            "2022",
            "replacement",
            "&#",
            "-",
            "r",
            "\t",
            "/\t",
            "\n",
            "/\n",
        ]
        tag = f"<{rnd.choice(['/', ''])}{rnd.choice(['a', 'IMG', 'x:A'])} {reference}{rnd.choice(words)}>".encode()

        assert glances.plain_parts(reference) == pure.plain_parts(reference)
        assert glances.may_reach_others(tag) == pure.may_reach_others(tag)
        assert glances.meta_counts(tag) == pure.meta_counts(tag)
        assert glances.name_of(tag) == pure.name_of(tag)
        if tag[1:2] != b"/":
            end = pure.name_of(tag)[1]
            assert attributes(compiled, tag, end) == attributes(pure_scanner, tag, end)


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

    for _ in range(SCRIPTS_A_SEED * 10):
        text = "".join(rnd.choices(SHEET_PARTS, k=rnd.randint(0, 20)))

        assert sheets.imports(text) == pure.imports(text)
        assert sheets.escapes_letters(text) == pure.escapes_letters(text)
        assert sheets.urls_in(text) == pure.urls_in(text)
        assert sheets.comments(text) == pure.comments(text)
        assert sheets.places(text, "/", "*") == pure.places(text, "/", "*")


DECLARING = (
    "function|function |async |=>|=> |>=|{|}|(|)|( a, b)|a|$b|_|c1|é|=|:| |\n|*|* |if|(x)|x|,|;|?|.|. a|=>{|:{|a:|a?|a("
).split("|")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_find_functions_and_names_alike(seed: int) -> None:
    pure_functions, pure_names, rnd = source_of(functions), source_of(names), random.Random(seed)

    for _ in range(SCRIPTS_A_SEED * 4):
        code = "".join(rnd.choices(DECLARING, k=rnd.randint(0, 40))).encode()
        back = code[::-1]

        assert functions.functions(code, back) == pure_functions.functions(code, back)
        for body in range(len(code) + 1):
            assert functions.function_before(code, back, body) == pure_functions.function_before(
                code, back, body
            )
        way = rnd.random()
        assert places(names.Names(code), way, len(code)) == places(pure_names.Names(code), way, len(code))


def places(one: Any, seed: float, size: int) -> list[int | None]:
    """Suspect names at random; list the places they are found at."""
    rnd = random.Random(seed)
    taken: list[int | None] = []
    for _ in range(6):
        name = rnd.choice([b"a", b"$b", b"_", b"c1", b"x", b"if"])
        one.suspect(
            name, rnd.choice([0, 0, 3]), rnd.choice([None, size // 2]), rnd.choice([b"", b"", b"a", b"x"])
        )
        one.suspect_all(rnd.choice([b"", b"a, x", b"b"]))
        taken += [one.take(), one.take()]
        one.in_markup = rnd.random() < 0.5
    while taken[-1] is not None:
        taken += [one.in_markup, one.take()]
    return taken


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_look_at_the_same_tags(seed: int) -> None:
    module = importlib.import_module("cookieguard.html.scanner")
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


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_walk_over_brackets_alike(seed: int) -> None:
    pure, rnd = source_of(reading), random.Random(seed)

    for text in texts_of(seed):
        around = rnd.choice(["", "(" * 9]), rnd.choice(["", ")" * 9, "\n}"])
        code, joined = pieces.cut(text.join(around).encode())
        both = [build.Reading(code, code[::-1], joined) for build in (reading, pure)]
        for place in (rnd.randint(0, len(code)) for _ in range(8)):
            answers = [walked(one, place, bytes(code)) for one in both]

            assert answers[0] == answers[1]


def walked(one: Any, place: int, code: bytes) -> list[object]:
    """Ask a reading all it can tell of a place."""
    floor = min(len(code), len(code) - place + 40)
    answers: list[object] = [
        one.literal_at(place),
        one.literal_before(place),
        one.literals_in(place // 2, place),
        one.words,
        one.arguments_end(place),
        one.expression_end(place),
        one.enclosing(place),
        one.argument_number(0, place) if place else 0,
        *(one.stretch_end(len(code) - place, floor, plain) for plain in (True, False)),
    ]
    if code[place : place + 1] and code[place] in b"([{":
        answers.append(one.closing(place))
    if code[place : place + 1] and code[place] in b")]}":
        answers.append(one.opening(place))
    return [*answers, one.steps]


FLOWING = (
    r"""'//ads.example/p'|"/own?"|'href'|'src'|'link'|'GET'|'<img src='|"speculationrules"| |@
|, |;|(|)|[|]|{|}|+|=|:|? |.|?.|=>|==|u|v|u.v|v[u]|u=|v:|.src=|.href=|]=|.innerHTML+=|.text=|src:|'src':|return |@
function v(u){|function(u){|v=function*(u){|(u)=>{|u=>|})(|}.call(|.apply(|if(|while (|else{|for(const u of |fetch(|@
open(|$.get(|v(|u.push(|.forEach(function(u){|.map(u=>|].each(u=>|loadIt(|upload(|.assign({|.setAttribute(|@
v=document.createElement(|import |from |append(|var u=|`${u}|/x/|//|new v(|indexOf(|else |try{|catch(|@
'<iframe src="'|'\n<link>'|v='<iframe src="'+|html=|.html(|$(|.add(|.attr(|'preconnect'|{rel:'preconnect',href:|href:|@
.location=|.location.href=|.location.replace(|.contentWindow|.contentDocument.|frames[0]|frames.v|.defaultView?.|@
['write'](|['src']=| . |v.push('<iframe src="'+|@
setTimeout(u,1,|setInterval(function(u){|.bind(null,|$.each(|,function(u,v){|.then(u=>|.then(v)|resolve(|@
case v:return |if(v)return |switch(v){|default:|finally{|u+=|'<iframe src='|.replace('x',|@
document.write(|v=u.contentWindow|.rel=|@
encodeURIComponent(|Reflect.set(|?.(|u='<iframe>'.replace(|.setAttribute.call(u,|'dns-prefetch'|createElement('link')""".replace(
        "@\n", ""
    )
).split("|")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_follow_a_literal_alike(seed: int) -> None:
    pure, rnd = source_of(flows), random.Random(seed)
    sunk = followed = 0

    for _ in range(SCRIPTS_A_SEED * 3):
        code, joined = pieces.cut(flowing(rnd))
        for number in range(min(joined.count(pieces.MARK), 12)):
            answer = flows.Flow(code, joined).reaches_a_sink([number])

            assert answer == pure.Flow(code, joined).reaches_a_sink([number]), (code, joined, number)
            sunk += answer
            followed += 1
    assert followed / 20 < sunk < followed / 2


def flowing(rnd: random.Random) -> bytes:
    """Write a script at random: of parts, or a loader changed here and there."""
    if rnd.random() < 0.4:
        return "".join(rnd.choices(FLOWING, k=rnd.randint(2, 40))).encode()
    script = rnd.choice([*LOADS, *LOADERS.values(), *WAYS.values()])
    for _ in range(rnd.randint(0, 6)):
        place = rnd.randint(0, len(script))
        script = script[:place] + rnd.choice(FLOWING) + script[place + rnd.choice([0, 0, 1, 3]) :]
    return script.encode()


NAMING = (
    r"""//ads.example|//schema.org/|//ok.example/|https:|http:|\/\/ads.example|\x2f\x2fads.example|"|'|`|${a}|${|}| |@
\x68|\u0068|http\x3a|\x|\/|3|@
<a href=|<img |</p|<\/b|<|>|src=|data =|srcset="|url(|,2x |, w |(|/|;|.|ads.example|a.b/|\\|=|:|x""".replace(
        "@\n", ""
    )
).split("|")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_suspect_the_same_literals(seed: int) -> None:
    pure, rnd = source_of(suspects), random.Random(seed)
    found = 0

    for _ in range(SCRIPTS_A_SEED * 10):
        literals = ["".join(rnd.choices(NAMING, k=rnd.randint(0, 12))) for _ in range(rnd.randint(0, 4))]
        joined = "".join(f"\x01{rnd.choice(QUOTES)}{one}" for one in literals).encode()
        glues = rnd.random() < 0.5
        answer = suspects.suspects(joined, is_held, glues)

        assert answer == pure.suspects(joined, is_held, glues), joined
        found += len(answer)
    assert found > SCRIPTS_A_SEED


QUOTES = ("'", '"', "`", "/")


def is_held(host: bytes) -> bool:
    return not host.startswith(b"ok.")


def test_a_record_is_its_named_tuple_in_a_dict_too() -> None:
    fields = ("https", "ads.example", None, "/p")
    one, usual = known.record(Url, fields), Url(*fields)

    assert one == usual
    assert type(one) is Url
    assert hash(one) == hash(usual)


@pytest.mark.parametrize("xml", [False, True])
def test_both_builds_pass_markup_alike(xml: bool) -> None:
    module = importlib.import_module("cookieguard.html.scanner")
    pure, rnd, far = source_of(module), random.Random(11), 0
    for _ in range(20_000):
        text = "".join(rnd.choices(SHARDS, k=rnd.randint(1, 12))).encode("latin-1")

        passed = module.pass_markup(b"script", text, 0, 2, xml)

        assert passed == pure.pass_markup(b"script", text, 0, 2, xml), text
        far += passed[0] > len(text) // 2
    assert far > 2000
