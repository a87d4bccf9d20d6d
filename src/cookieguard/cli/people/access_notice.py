"""The words of a notice to a customer whose data somebody looked at without their code, in their language."""

from __future__ import annotations

from cookieguard.config.languages import texts_of
from cookieguard.features.people.break_glass import REVEAL, Look
from cookieguard.features.rights.values.answers import PLAIN, RightsTexts


def notice_of(look: Look, language: str) -> tuple[str, str, list[str]]:
    """Return the language, what happened in one line, and the notice; scope and reason are the staff's own words."""
    texts = RightsTexts.of(language)
    said, colon = texts_of(texts.lang)["permission"], texts_of(texts.lang)["meta"]["colon"]
    key = "notice_gave" if look.kind == "disclosure" else "notice_looked"
    scope = said["scope_reveal"] if look.kind == REVEAL else look.scope
    ground = said.get(f"ground_{look.ground}", look.ground)
    told = said[key].replace("{date}", texts.day(look.at.date()))
    lines = [
        told,
        "",
        said["notice_what"].replace("{scope}", scope),
        said["notice_why"].replace("{reason}", f"{ground}{colon}{look.reason}"),
        "",
        said["notice_two"],
    ]
    return texts.lang, told.translate(PLAIN), lines
