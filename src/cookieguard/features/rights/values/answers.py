"""The words of a request: what a person reads on the page and in mails, in the languages there are."""

from __future__ import annotations

from cookieguard.config import Config
from cookieguard.config.languages import FSI, PDI, SectionTexts, nearest_text, texts_of
from cookieguard.features.rights.values.plan import BY_WORDS, Step
from cookieguard.features.rights.values.requests import WORKER, Act, Request
from cookieguard.features.rights.values.rules import RequestKind

READ_FIRST = "read before it is sent"  # the note of an officer, who sends the copy then
PLAIN = dict.fromkeys(map(ord, FSI + PDI))  # mail programs show them as boxes


class RightsTexts(SectionTexts):
    """Hold the texts about requests."""

    @classmethod
    def of(cls, lang: str) -> RightsTexts:
        """Return the texts for readers of a language."""
        return cls(lang, texts_of(lang)["rights"])


def answer_of(request: Request, config: Config) -> str:
    """Return the words that a request is closed with once its steps are done."""
    texts = RightsTexts.of(config.language_for(request.language))
    lines = [texts.texts[f"done_{request.kind.replace('-', '_')}"]] if request.kind not in BY_WORDS else []
    lines += retained_lines(request, config, texts)
    return "\n".join(lines).translate(PLAIN)


def has_copy(request: Request) -> bool:
    """Return whether a worker collected the copy that was asked for; what staff sent lies on no page."""
    return any(
        one.act is Act.STEP and one.name == Step.COLLECT and one.by == WORKER for one in request.events
    )


def needs_words(request: Request) -> bool:
    """Return whether a person of the staff gives the answer, also of a copy that they made by hand or read first."""
    is_read_first = any(one.act is Act.NOTE and one.name == READ_FIRST for one in request.events)
    is_copy = request.kind is RequestKind.EXPORT
    return request.kind in BY_WORDS or (is_copy and (is_read_first or not has_copy(request)))


def retained_lines(request: Request, config: Config, texts: RightsTexts) -> list[str]:
    """Return what stays, until when and why."""
    titles = {
        one.id: nearest_text(one.title, texts.lang, config.consent.language)[0] or one.id
        for one in config.data
    }
    lines = []
    for one in request.retained:
        name = titles.get(one.name, one.name)
        if one.until is None:
            lines.append(texts.line("stays", name=name, reason=one.text))
        else:
            lines.append(texts.line("stays_until", name=name, date=one.until, reason=one.text))
    return lines
