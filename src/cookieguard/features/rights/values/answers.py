"""The texts about a request that its person reads on the page and in mails, in each language."""

from __future__ import annotations

from cookieguard.config import Config
from cookieguard.config.languages import FSI, PDI, SectionTexts, nearest_text, texts_of
from cookieguard.features.rights.values.plan import BY_WORDS, Step
from cookieguard.features.rights.values.requests import WORKER, Act, Request
from cookieguard.features.rights.values.rules import RequestKind

READ_FIRST = "read before it is sent"  # the note of an officer who read the copy and then sends it
PLAIN = dict.fromkeys(map(ord, FSI + PDI))  # mail programs show these isolates as boxes


class RightsTexts(SectionTexts):
    """Hold the texts about requests."""

    @classmethod
    def of(cls, lang: str) -> RightsTexts:
        """Return the texts for readers of a language."""
        return cls(lang, texts_of(lang)["rights"])


def answer_of(request: Request, config: Config) -> str:
    """Return the standard answer that closes a request once its steps are done."""
    texts = RightsTexts.of(config.language_for(request.language))
    lines = [texts.texts[f"done_{request.kind.replace('-', '_')}"]] if request.kind not in BY_WORDS else []
    lines += retained_lines(request, config, texts)
    return "\n".join(lines).translate(PLAIN)


def has_copy(request: Request) -> bool:
    """Return whether a worker collected the copy; a copy that staff made by hand is on no page."""
    return any(
        event.act is Act.STEP and event.name == Step.COLLECT and event.by == WORKER
        for event in request.events
    )


def needs_words(request: Request) -> bool:
    """Return whether staff must write the answer, as they must for a copy that they made by hand or read first."""
    is_read_first = any(event.act is Act.NOTE and event.name == READ_FIRST for event in request.events)
    is_copy = request.kind is RequestKind.EXPORT
    return request.kind in BY_WORDS or (is_copy and (is_read_first or not has_copy(request)))


def retained_lines(request: Request, config: Config, texts: RightsTexts) -> list[str]:
    """Return a line for each kind of data that is kept: until when, and why."""
    titles, lines = titles_of(config, texts.lang), []
    for item in request.retained:
        name = titles.get(item.name, item.name)
        if item.until is None:
            lines.append(texts.line("stays", name=name, reason=item.text))
        else:
            lines.append(texts.line("stays_until", name=name, date=item.until, reason=item.text))
    return lines


def titles_of(config: Config, lang: str) -> dict[str, str]:
    """Return the title of each kind of data by its id, in the language or the nearest one."""
    default = config.consent.language
    return {kind.id: nearest_text(kind.title, lang, default)[0] or kind.id for kind in config.data}
