"""The texts of every language are complete, in that language, with its own numbers and dates."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from gettext import c2py
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page

import cookieguard
from cookieguard import CookieGuard
from cookieguard.config import Config
from cookieguard.config.languages import LANGUAGES, texts_of
from cookieguard.features.rights.values.answers import RightsTexts
from cookieguard.web.assets import STATIC
from cookieguard.web.banner.localized_texts import date_text, duration_text
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.http.policy_texts import PolicyTexts

Guard = Callable[..., CookieGuard]
OFFICIAL = "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv".split()
MORE = "ar fa he hi id is ja ko nb th tr uk vi zh-Hans zh-Hant".split()
# What the letters of a text must be called in Unicode; every other language is written in Latin ones.
LETTERS = {
    "ar": "ARABIC",
    "bg": "CYRILLIC",
    "el": "GREEK",
    "fa": "ARABIC",
    "he": "HEBREW",
    "hi": "DEVANAGARI",
    "ja": "CJK|HIRAGANA|KATAKANA",
    "ko": "HANGUL",
    "th": "THAI",
    "uk": "CYRILLIC",
    "zh-Hans": "CJK",
    "zh-Hant": "CJK",
}
# Words that are the same in many languages, or that a language took over as they are.
INTERNATIONAL = {"OK", "Cookie", "Cookies", "Host", "Hosts", "Marketing"}
PLACEHOLDER = re.compile(r"\{\w+\}")
WIDEST = 24  # letters on a button of the banner: two lines at 320 px
UNITS = ("minute", "hour", "day", "month", "year")


def flat(texts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in texts.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def shown(lang: str) -> dict[str, str]:
    """Return all that visitors read in a language, lists by their number."""
    found: dict[str, str] = {}
    for name, value in flat(texts_of(lang)):
        if name.startswith("meta.") or name == "policy.date":
            continue
        found |= (
            {name: value} if isinstance(value, str) else {f"{name}.{i}": one for i, one in enumerate(value)}
        )
    return found


def script_of(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def test_every_official_language_of_the_union_is_spoken_and_fifteen_more() -> None:
    assert {*OFFICIAL, *MORE} <= set(LANGUAGES)
    assert len(OFFICIAL) == 24


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_language_has_every_text_with_its_placeholders(lang: str) -> None:
    ours, english = dict(flat(texts_of(lang))), dict(flat(texts_of("en")))

    assert ours.keys() == english.keys()
    for name, value in english.items():
        assert type(ours[name]) is type(value), name
        if isinstance(value, str) and name not in ("meta.date", "meta.plural", "policy.date"):
            assert sorted(PLACEHOLDER.findall(ours[name])) == sorted(PLACEHOLDER.findall(value)), name


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_is_one_line_without_blanks_around_it(lang: str) -> None:
    for name, text in shown(lang).items():
        assert text == text.strip() != "", name
        # French keeps a sign at its word, and Persian joins no letters.
        assert text.replace("\u00a0" if lang == "fr" else "\u200c", "").isprintable(), name
        assert unicodedata.is_normalized("NFC", text), name


@pytest.mark.parametrize("lang", [one for one in LANGUAGES if one != "en"])
def test_no_text_was_left_in_english(lang: str) -> None:
    english = shown("en")
    same = {text for name, text in shown(lang).items() if text == english.get(name)}

    # "{count} minute" is French as well
    assert {one for one in same if "{count}" not in one} <= INTERNATIONAL


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_is_written_in_the_letters_of_its_language(lang: str) -> None:
    expected = re.compile(LETTERS.get(lang, "LATIN"))
    for name, text in shown(lang).items():
        words = PLACEHOLDER.sub("", text).replace("Global Privacy Control", "")
        letters = [one for one in words if one.isalpha()]
        foreign = "".join(one for one in letters if not expected.match(script_of(one)))

        if text not in INTERNATIONAL:
            assert len(foreign) < len(letters) or not letters, name
        # http, IP, a brand or a loan word may stand there; a sentence in another script may not.
        assert len(foreign) <= 11, (name, foreign)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_title_of_the_shop_stands_after_a_colon_where_a_sentence_would_inflect_it(lang: str) -> None:
    texts = texts_of(lang)
    said = [texts["rights"]["stays"], texts["rights"]["stays_until"], texts["embed"]["always"]]

    for text in said[:2] if lang == "en" else said:
        assert re.search(r"[:：][ \u00a0]?\{(name|purpose)\}", text), text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_language_runs_as_its_script_does(lang: str) -> None:
    first = next(one for one in texts_of(lang)["banner"]["title"] if one.isalpha())
    runs = "rtl" if unicodedata.bidirectional(first) in ("R", "AL") else "ltr"

    assert texts_of(lang)["meta"]["dir"] == runs


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_language_says_who_reviewed_it_and_when_or_that_no_native_reader_did(lang: str) -> None:
    reviewed = texts_of(lang)["meta"]["reviewed"]
    by_whom = re.fullmatch(r"\S.{0,60}\S, (\d{4}-\d{2}-\d{2})", reviewed) if reviewed else None

    assert reviewed is False or by_whom, "false, or like 'A. Reader, 2027-01-31'"
    assert by_whom is None or date.fromisoformat(by_whom[1])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_refusing_and_accepting_are_said_alike_and_fit_their_buttons(lang: str) -> None:
    banner = texts_of(lang)["banner"]
    refuse, accept = len(banner["refuse"]), len(banner["accept"])

    assert banner["refuse"] != banner["accept"]
    assert max(refuse, accept) <= WIDEST
    assert max(refuse, accept) <= 2 * min(refuse, accept)
    assert len(banner["save"]) <= WIDEST
    assert max(len(banner["text"]), len(banner["again"])) <= 300
    assert banner["again"].partition("{purposes}")[1:] == banner["text"].partition("{purposes}")[1:]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_date_holds_day_month_year_and_time_once(lang: str) -> None:
    written = date_text(datetime(2026, 11, 24, 9, 5, tzinfo=UTC), lang)
    months = texts_of(lang)["meta"]["months"]

    assert len(set(months)) == 12
    assert "1" in texts_of(lang)["meta"]["first"]
    assert [written.count(one) for one in ("24", "2026", "09:05", months[10])] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("lang", "written"),
    [
        ("en", "24 November 2026, 09:05 UTC"),
        ("de", "24. November 2026, 09:05 UTC"),
        ("es", "24 de noviembre de 2026, 09:05 UTC"),
        ("fi", "24. marraskuuta 2026, 09:05 UTC"),
        ("hu", "2026. november 24., 09:05 UTC"),
        ("lt", "2026 m. lapkričio 24 d., 09:05 UTC"),
        ("lv", "2026. gada 24. novembris, 09:05 UTC"),
        ("mt", "24 ta’ Novembru 2026, 09:05 UTC"),
        ("pl", "24 listopada 2026, 09:05 UTC"),
        ("uk", "24 листопада 2026 р., 09:05 UTC"),
        ("he", "24 בנובמבר 2026, 09:05 UTC"),
        ("ja", "2026年11月24日 09:05 UTC"),
        ("ko", "2026년 11월 24일 09:05 UTC"),
    ],
)
def test_a_date_is_written_as_the_language_writes_it(lang: str, written: str) -> None:
    assert date_text(datetime(2026, 11, 24, 9, 5, tzinfo=UTC), lang) == written


def test_the_first_of_a_month_is_written_as_the_language_writes_it() -> None:
    new_year = datetime(2027, 1, 1, 9, 5, tzinfo=UTC)

    assert date_text(new_year, "fr") == "1er janvier 2027, 09:05 UTC"
    assert (
        PolicyTexts.of("fr")
        .line("mail_subject", date=new_year.date())
        .endswith("le \u20681er janvier 2027\u2069")
    )
    assert (
        RightsTexts.of("fr").line("own_until", date=new_year.date())
        == "Jusqu’au \u20681er janvier 2027\u2069"
    )
    assert RightsTexts.of("de").day(new_year.date()) == "1. Januar 2027"


def test_french_signs_stay_at_their_words() -> None:
    said = [*shown("fr").values(), texts_of("fr")["meta"]["colon"]]

    assert [text for text in said if re.search(r" [:;?!»]|« |[^\u00a0:][;?!»](?=\s|$)", text)] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_count_has_its_form_and_every_form_its_count(lang: str) -> None:
    for unit in UNITS:
        forms = texts_of(lang)["durations"][unit]
        used = {duration_text(count, unit, lang).replace(str(count), "{count}", 1) for count in range(201)}

        assert used == set(forms)
        assert "{count}" in forms[-1]


def is_few(n: int) -> bool:
    return n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14)


# CLDR 46, cardinal numbers: the category of a whole number below a million, by the first test that it passes.
Category = dict[str, Callable[[int], bool]]
ONE: Category = {"one": lambda n: n == 1}
ZERO_TOO: Category = {"one": lambda n: n < 2}
CLDR: dict[str, Category] = {
    "id ja ko th vi zh-Hans zh-Hant": {},
    "bg da de el en es et fi hu it nb nl pt sv tr": ONE,
    "fa fr hi": ZERO_TOO,
    "is": {"one": lambda n: n % 10 == 1 and n % 100 != 11},
    "he": {**ONE, "two": lambda n: n == 2},
    "cs sk": {**ONE, "few": lambda n: 2 <= n <= 4},
    "pl": {**ONE, "few": is_few},
    "hr uk": {"one": lambda n: n % 10 == 1 and n % 100 != 11, "few": is_few},
    "ro": {**ONE, "few": lambda n: n == 0 or 1 <= n % 100 <= 19},
    "sl": {"one": lambda n: n % 100 == 1, "two": lambda n: n % 100 == 2, "few": lambda n: n % 100 in (3, 4)},
    "lt": {
        "other": lambda n: n % 10 == 0 or 11 <= n % 100 <= 19,
        "one": lambda n: n % 10 == 1,
        "few": lambda n: n % 10 > 1,
    },
    "lv": {"zero": lambda n: n % 10 == 0 or 11 <= n % 100 <= 19, "one": lambda n: n % 10 == 1},
    "ga": {**ONE, "two": lambda n: n == 2, "few": lambda n: 3 <= n <= 6, "many": lambda n: 7 <= n <= 10},
    "mt": {
        **ONE,
        "two": lambda n: n == 2,
        "few": lambda n: n == 0 or 3 <= n % 100 <= 10,
        "many": lambda n: 11 <= n % 100 <= 19,
    },
    "ar": {
        "zero": lambda n: n == 0,
        **ONE,
        "two": lambda n: n == 2,
        "few": lambda n: 3 <= n % 100 <= 10,
        "many": lambda n: n % 100 >= 11,
    },
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_counts_of_one_plural_category_of_cldr_share_their_form(lang: str) -> None:
    (tests,) = [rule for named, rule in CLDR.items() if lang in named.split()]
    plural = c2py(texts_of(lang)["meta"]["plural"])
    forms: dict[str, set[int]] = {}
    for count in range(1001):
        category = next((name for name, holds in tests.items() if holds(count)), "other")
        forms.setdefault(category, set()).add(plural(count))

    assert {name: len(used) for name, used in forms.items()} == dict.fromkeys(forms, 1)
    assert all(len(texts_of(lang)["durations"][unit]) > max(max(forms.values())) for unit in UNITS)


@pytest.mark.parametrize(
    ("lang", "unit", "says"),
    [
        ("de", "minute", "1 Minute, 2 Minuten, 5 Minuten, 21 Minuten"),
        ("de", "hour", "1 Stunde, 2 Stunden, 5 Stunden, 21 Stunden"),
        ("de", "day", "1 Tag, 2 Tage, 5 Tage, 21 Tage"),
        ("de", "month", "1 Monat, 2 Monate, 5 Monate, 21 Monate"),
        ("de", "year", "1 Jahr, 2 Jahre, 5 Jahre, 21 Jahre"),
        ("fr", "minute", "1 minute, 2 minutes, 5 minutes, 21 minutes"),
        ("fr", "hour", "1 heure, 2 heures, 5 heures, 21 heures"),
        ("fr", "day", "1 jour, 2 jours, 5 jours, 21 jours"),
        ("fr", "month", "1 mois, 2 mois, 5 mois, 21 mois"),
        ("fr", "year", "1 an, 2 ans, 5 ans, 21 ans"),
        ("pl", "minute", "1 minuta, 2 minuty, 5 minut, 21 minut"),
        ("pl", "hour", "1 godzina, 2 godziny, 5 godzin, 21 godzin"),
        ("pl", "day", "1 dzień, 2 dni, 5 dni, 21 dni"),
        ("pl", "month", "1 miesiąc, 2 miesiące, 5 miesięcy, 21 miesięcy"),
        ("pl", "year", "1 rok, 2 lata, 5 lat, 21 lat"),
        ("fi", "minute", "1 minuutti, 2 minuuttia, 5 minuuttia, 21 minuuttia"),
        ("fi", "hour", "1 tunti, 2 tuntia, 5 tuntia, 21 tuntia"),
        ("fi", "day", "1 päivä, 2 päivää, 5 päivää, 21 päivää"),
        ("fi", "month", "1 kuukausi, 2 kuukautta, 5 kuukautta, 21 kuukautta"),
        ("fi", "year", "1 vuosi, 2 vuotta, 5 vuotta, 21 vuotta"),
        ("ar", "minute", "دقيقة واحدة, دقيقتان, 5 دقائق, 21 دقيقة"),
        ("ar", "hour", "ساعة واحدة, ساعتان, 5 ساعات, 21 ساعة"),
        ("ar", "day", "يوم واحد, يومان, 5 أيام, 21 يومًا"),
        ("ar", "month", "شهر واحد, شهران, 5 أشهر, 21 شهرًا"),
        ("ar", "year", "سنة واحدة, سنتان, 5 سنوات, 21 سنة"),
    ],
)
def test_one_two_five_and_twenty_one_are_counted_as_the_language_does(
    lang: str, unit: str, says: str
) -> None:
    assert ", ".join(duration_text(count, unit, lang) for count in (1, 2, 5, 21)) == says


@pytest.mark.parametrize(
    ("lang", "count", "unit", "says"),
    [
        ("en", 1, "day", "1 day"),
        ("en", 13, "month", "13 months"),
        ("fr", 0, "minute", "0 minute"),
        ("fr", 2, "year", "2 ans"),
        ("pl", 2, "month", "2 miesiące"),
        ("pl", 12, "month", "12 miesięcy"),
        ("pl", 22, "hour", "22 godziny"),
        ("cs", 2, "year", "2 roky"),
        ("cs", 5, "year", "5 let"),
        ("uk", 21, "day", "21 день"),
        ("uk", 13, "month", "13 місяців"),
        ("sl", 2, "day", "2 dneva"),
        ("sl", 103, "day", "103 dnevi"),
        ("lt", 1, "month", "1 mėnuo"),
        ("lt", 13, "month", "13 mėnesių"),
        ("lt", 90, "day", "90 dienų"),
        ("lv", 21, "day", "21 diena"),
        ("lv", 30, "day", "30 dienu"),
        ("ro", 2, "year", "2 ani"),
        ("ro", 20, "day", "20 de zile"),
        ("ga", 3, "year", "3 bliana"),
        ("ga", 7, "year", "7 mbliana"),
        ("mt", 11, "month", "11-il xahar"),
        ("is", 21, "day", "21 dagur"),
        ("ar", 2, "day", "يومان"),
        ("ar", 5, "day", "5 أيام"),
        ("ar", 13, "month", "13 شهرًا"),
        ("he", 2, "year", "שנתיים"),
        ("tr", 2, "year", "2 yıl"),
        ("ja", 13, "month", "13 か月"),
    ],
)
def test_a_count_takes_the_form_of_its_language(lang: str, count: int, unit: str, says: str) -> None:
    assert duration_text(count, unit, lang) == says


# The page's language goes along to the pages of ours that it leads to


@pytest.mark.parametrize("decided", [False, True])
def test_our_pages_speak_the_language_of_the_page_that_leads_to_them(guard: Guard, decided: bool) -> None:
    app = guard(page(b"<!doctype html><html lang=fr><body>boutique"))
    chosen = [("cookie", refused(app))] if decided else []
    french = [("accept-language", "fr-CA"), ("sec-fetch-dest", "document"), *chosen]
    swedish = [("accept-language", "sv"), ("sec-fetch-dest", "document"), *chosen]

    link = re.search(r'href="/_cg/choices\?([^"]*)', ask(app, headers=swedish).text)
    assert link
    there = ask(app, path="/_cg/choices", query=link[1].replace("&amp;", "&"), headers=swedish)

    assert link[1] == "next=/&amp;lang=fr"
    assert '<html lang="fr"' in there.text
    assert '"/_cg/choices?next=/"' in ask(app, headers=french).text  # the browser asks for French anyway
    assert '<html lang="sv"' in ask(app, path="/_cg/choices", query="lang=xx", headers=swedish).text


@pytest.mark.parametrize(
    ("html_lang", "accepted", "lang"),
    [
        ("", "fr, en;q=0.5", "en"),
        ("", "fr", "de"),
        ("", "", "de"),
        ("fr", "en-GB", "en"),
        ("fr", "fr", "de"),
        ("en", "de", "en"),
    ],
)
def test_a_shop_chooses_the_languages_that_its_visitors_get(
    guard: Guard, html_lang: str, accepted: str, lang: str
) -> None:
    body = f"<!doctype html><html lang='{html_lang}'><body><iframe src=https://video.example/1></iframe>"
    app = guard(page(body.encode()), languages=("de", "en"))
    headers = [("accept-language", accepted), ("sec-fetch-dest", "document")]

    shown = ask(app, headers=headers).text
    pages = {
        path: ask(app, path=f"/_cg/{path}", query=f"lang={html_lang}", headers=headers).text
        for path in ("choices", "privacy", "cookies")
    }

    assert f'<section id="cg" lang="{lang}"' in shown
    assert re.findall(r'<html lang="(\w*)" dir', unescape(shown)) == [lang]  # of the placeholder
    assert [re.findall(r'<html lang="([^"]*)"', one) for one in pages.values()] == [[lang]] * 3


def refused(app: Any) -> str:
    sent = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    answer = ask(app, method="POST", path="/_cg/consent", headers=sent, body=b"choice=reject&next=/")
    return str(answer.get("set-cookie")).partition(";")[0]


# Files that are read when they are needed, and by being there


def test_a_guard_reads_no_language_that_nobody_asked_for() -> None:
    texts_of.cache_clear()

    renderer = Renderer(Config())
    read = texts_of.cache_info().currsize
    renderer.banner("fr", base="/_cg/", next_="/")

    assert (read, texts_of.cache_info().currsize) == (1, 2)
    assert len(renderer.wordings) == 6  # of two languages: banner, placeholder, banner asking again


def test_a_banner_that_another_process_showed_is_known_by_reading_few_languages() -> None:
    elsewhere = Renderer(Config())
    shown_there = [elsewhere.banner_hash(lang) for lang in LANGUAGES]
    texts_of.cache_clear()
    renderer = Renderer(Config())

    assert renderer.known_banner("0" * 16) == renderer.known_banner("") == ""
    assert texts_of.cache_info().currsize < 5
    assert [renderer.known_banner(one) for one in shown_there] == shown_there
    assert renderer.wordings == elsewhere.wordings


def test_a_new_language_needs_one_file_and_nothing_else(tmp_path: Path) -> None:
    package = tmp_path / "cookieguard"
    ignore = shutil.ignore_patterns("*.so", "*.pyx", "*.pxd", "*.c", "__pycache__")
    shutil.copytree(Path(cookieguard.__file__).parent, package, ignore=ignore)
    shutil.copytree(Path(str(STATIC)), package / "static", ignore=ignore)
    catalan = (
        (package / "static" / "lang" / "es.toml").read_text("utf-8").replace("Su privacidad", "La privadesa")
    )
    (package / "static" / "lang" / "ca.toml").write_text(catalan, "utf-8")
    asks = (
        "from cookieguard.config import Config, ConsentSettings\n"
        "from cookieguard.web.banner.renderer import Renderer\n"
        "renderer = Renderer(Config(consent=ConsentSettings(language='ca')))\n"
        "lang = renderer.pick_language('ca-ES', 'fr')\n"
        "print(lang, b'La privadesa' in renderer.banner(lang, base='/', next_='/'))"
    )

    said = subprocess.run(
        [sys.executable, "-P", "-c", asks],
        env={"PYTHONPATH": str(tmp_path), "COOKIEGUARD_PURE": "1", "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert (said.stdout, said.stderr) == ("ca True\n", "")
