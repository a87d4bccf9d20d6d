"""Functions written twice, as regular expressions and as loops in C, give the same results."""

from __future__ import annotations

import random

import pytest
from harness.sources import source_of

from cookieguard.html import scanner
from cookieguard.html.fast import answers as known
from cookieguard.html.tokenizer import scanner as tokenizer
from cookieguard.html.urls import Url

SEEDS = 6
ROUNDS = 400
pytestmark = pytest.mark.skipif(scanner() == "pure", reason="there is one build only")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_piece_is_a_slice(seed: int) -> None:
    pure, rnd = source_of(known), random.Random(seed)

    for _ in range(ROUNDS):
        text = rnd.randbytes(rnd.randint(0, 9))
        start, end = rnd.randint(0, 10), rnd.randint(0, 12)

        assert known.piece(text, start, end) == pure.piece(text, start, end) == text[start:end]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_look_at_the_same_tags(seed: int) -> None:
    both = [one.Scanner(xml=bool(seed % 2)) for one in (tokenizer, source_of(tokenizer))]
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


def test_a_record_is_its_named_tuple_in_a_dict_too() -> None:
    fields = ("https", "ads.example", None, "/p")
    one, usual = known.record(Url, fields), Url(*fields)

    assert one == usual
    assert type(one) is Url
    assert hash(one) == hash(usual)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_pass_the_same_attributes(seed: int) -> None:
    pure, rnd, found = source_of(tokenizer), random.Random(seed), 0

    for _ in range(ROUNDS * 10):
        text = "".join(rnd.choices([*"ab==='/> \n", '"', "c d"], k=rnd.randint(0, 12))).encode()
        end = tokenizer.whole_attributes(text, 0)
        assert end == pure.whole_attributes(text, 0), text
        found += 0 < end < len(text)
    assert found > ROUNDS


TEXTS = "<|</|</script|</SCRIPT>|</style>|</scripts>|<!--|<!-|-->|--!>|>|!|-|a| |/".split("|")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_builds_find_the_same_ends(seed: int) -> None:
    pure, rnd, found = source_of(tokenizer), random.Random(seed), 0

    for _ in range(ROUNDS * 10):
        text = "".join(rnd.choices(TEXTS, k=rnd.randint(1, 9))).encode()
        for name in (b"script", b"style"):
            assert tokenizer.end_of_text(name, text, 0) == pure.end_of_text(name, text, 0), text
            found += pure.end_of_text(name, text, 0) >= 0
        comment = b"<!--" + text
        assert tokenizer.comment_end(comment, 0) == pure.comment_end(comment, 0), comment
        assert tokenizer.has_sign(text, 1, len(text)) == pure.has_sign(text, 1, len(text))
    assert found > ROUNDS
