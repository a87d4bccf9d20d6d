"""The forms of a page that ask for personal data, and where they send it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from cookieguard.config import Config, ShopForm, config_from_mapping
from cookieguard.errors import ConfigError
from cookieguard.scan.draft import draft
from cookieguard.scan.facts import facts_of, report_page
from cookieguard.scan.forms import form_table, forms_in, is_declared, merged
from cookieguard.scan.observations import UNDECIDED, Form
from cookieguard.scan.page_source import PageSource
from cookieguard.scan.plan import Parties
from scan.test_draft import scanned

SHOP = Parties("https://shop.example/", Config())


def read(markup: str, page: str = "/a") -> list[Form]:
    source = PageSource(f"https://shop.example{page}", markup.encode(), page, UNDECIDED)
    return forms_in(source, SHOP.is_foreign)


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("<input autocomplete='section-a billing cc-number'>", "card number"),
        ("<input name=card_number>", "card number"),
        ("<input autocomplete=cc-exp-month>", "card expiry"),
        ("<input name=x type=email>", "email"),
        ("<INPUT NAME='E-Mail'>", "email"),
        ("<input autocomplete=tel-national>", "phone"),
        ("<textarea autocomplete=street-address></textarea>", "address"),
        ("<input autocomplete=address-line1>", "address"),
        ("<input placeholder='Date of birth'>", "birthday"),
        ("<input type=password>", "password"),
        ("<select autocomplete=bday-year></select>", "birthday"),
        ("<input name=lastname>", "name"),
        ("<input name=iban>", "bank account"),
    ],
)
def test_field_is_named_by_what_html_says_of_it_else_by_its_name(field: str, kind: str) -> None:
    (form,) = read(f"<form action=/order>{field}</form>")

    assert form.asks == (kind,)


@pytest.mark.parametrize(
    "field",
    [
        "<input type=hidden name=email>",
        "<input type=search name=q>",
        "<input name=quantity>",
        "<input name=company>",
        "<input type=checkbox name=email>",
        "<select name=colour></select>",
        "<!-- <input type=email> -->",
        '<script>"<input type=email>"</script>',
    ],
)
def test_field_that_names_nobody_makes_no_form(field: str) -> None:
    assert read(f"<form>{field}</form>") == []


def test_form_says_to_whom_it_is_sent_and_fields_in_none_are_one() -> None:
    found = read(
        "<form action=https://mail.example/join><input type=email></form>"
        "<form action=//pay.shop.example/><input name=name></form><form action='http://['><input type=tel></form>"
        "<input type=file>"
    )

    assert {(one.leads_to, one.asks) for one in found} == {
        ("", ("file",)),
        ("mail.example", ("email",)),
        ("", ("name",)),
        ("", ("phone",)),
    }


def test_form_of_every_page_is_told_once_with_its_pages() -> None:
    letter = "<form action=/join><input type=email></form>"
    found = [*read(letter, "/a"), *read(letter, "/b"), *read(letter, "/a")]

    assert [(form.asks, pages) for form, pages in merged(found)] == [(("email",), ("/a", "/b"))]


def test_report_lists_forms_and_marks_cards() -> None:
    scan, parties = scanned()
    forms = tuple(read("<form action=https://x.example><input autocomplete=cc-number></form>", "/<b>"))

    scan = replace(scan, forms=forms)
    facts = facts_of(scan, parties, draft(parties, Config()))
    page = report_page(scan, facts).decode("ascii")

    assert facts["forms"] == [{"asks": ["card number"], "leads_to": "x.example", "pages": ["/<b>"]}]
    assert "use the payment company" in page
    assert "/&lt;b&gt;" in page


def test_form_that_nobody_declared_is_told_with_the_lines_that_declare_it() -> None:
    found = read("<form action=https://x.example><input type=email><input name=name></form>", "/join")
    ((form, pages),) = merged(found)
    lines = form_table(form, pages)
    (declared,) = config_from_mapping(tomllib.loads(lines)).forms

    assert (declared.page, declared.asks, declared.leads_to) == ("/join", ("email", "name"), "x.example")
    assert is_declared(form, pages, [declared])
    assert is_declared(form, ("/join", "/other"), [replace(declared, page="/")])
    for wrong in ({"page": "/other"}, {"asks": ("email",)}, {"leads_to": ""}):
        assert not is_declared(form, pages, [replace(declared, **wrong)])
    assert not is_declared(form, pages, [])


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"page": "join"}, "forms.page is 'join'"),
        ({"page": "//evil.example/"}, "forms.page"),
        ({"page": "/join"}, r"forms\./join\.asks is empty"),
        (
            {"page": "/join", "asks": ("shoe size",)},
            "forms./join.asks is 'shoe size'; allowed: 'email', 'phone'",
        ),
    ],
)
def test_form_that_cannot_be_declared_is_refused_by_name(form: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ShopForm(**form)
