"""What visitors see: the banner, the control that stays, and the page of privacy choices.

Templates, style sheets, script and languages lie in static/. Everything rendered is pure ASCII (other
characters as references), so it fits a page of any ASCII-compatible encoding, and is well-formed XML.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from markupsafe import Markup, escape

from cookieguard.config import Config
from cookieguard.config.languages import LANGUAGES, language_of, texts_of
from cookieguard.consent import INLINE, Allowance, Consent, Way, pick_language
from cookieguard.web.assets import ASSETS, Asset, digest, load_asset
from cookieguard.web.banner.asset_elements import WAITS, form_of, script_element, style_element
from cookieguard.web.banner.consent_notices import control_notice, mixed_languages, page_notices
from cookieguard.web.banner.localized_texts import date_text, fill, hash_mark, shown_purposes
from cookieguard.web.banner.own_templates import judge_own, read_own
from cookieguard.web.banner.placeholder_values import Place
from cookieguard.web.banner.slots import (
    ANCHOR,
    MARKERS,
    NEXT,
    TITLE,
    VALUE,
    choices_url,
    filled,
    in_attribute,
    to_ascii,
)
from cookieguard.web.banner.templates import template_environment
from cookieguard.web.http.policy_texts import News, PolicyTexts, news_key, news_line, objection_place

logger = logging.getLogger("cookieguard")

# Languages x bases x allowances; a base may hold the Host header, which is free text.
RENDERED_KEPT = 256
LANGUAGES_KEPT = 256
STALE_SCRIPTS = ("stale.js", "posted.js")  # the second one answers a POST
LONGEST_LANGUAGES = 200  # characters of what is kept: a client may send as many as it likes


class Renderer:
    """Render what visitors see, from configuration and the files in static/.

    Owns its cache of rendered texts. `base` is root_path and prefix (`/_cg/`), or the same with the origin in
    front where a page has a foreign `<base>`; `next` a local path (see consent.local_path).
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._purposes = cache(lambda lang: shown_purposes(config, lang))
        has_one_text = any(one.has_one_text for one in config.purposes)
        # Languages that a banner may speak without a word to the owner: with one text, that of the shop's setting.
        self._unmixed = {language_of(config.consent.language)} if has_one_text else set(LANGUAGES)
        self._environment = template_environment()
        self._own = read_own(config.look, self._environment)
        found = {name: load_asset(name, config.look, self._own.sheets.get(name, "")) for name in ASSETS}
        self._files = found
        self._rendered: dict[tuple[object, ...], list[bytes]] = {}
        default, spoken = config.consent.language, config.languages
        self._objects = bool(objection_place(config, ""))
        self._pick = lru_cache(maxsize=LANGUAGES_KEPT)(
            lambda html_lang, accepted: pick_language(html_lang, accepted, default, spoken)
        )
        self.assets: Mapping[str, Asset] = {asset.name: asset for asset in found.values()}
        found["room.css"] = load_asset("room.css", config.look)  # stands in pages only
        self._hashes: dict[str, tuple[str, str]] = {}  # of the banner and of the placeholder, by language
        self.wordings: dict[str, bytes] = {}
        judge_own(self._own, language_of(default), config.languages, self._template_values)
        self._named(language_of(default))

    @property
    def own_texts(self) -> Mapping[str, str]:
        """Return what the shop's own templates and style sheets say, by file."""
        return self._own.texts

    def pick_language(self, html_lang: str, accept_language: str) -> str:
        """Pick the language to speak: the page's, else the browser's, else the shop's default."""
        is_short = len(html_lang) + len(accept_language) <= LONGEST_LANGUAGES
        return (self._pick if is_short else self._pick.__wrapped__)(html_lang, accept_language)

    def banner_hash(self, lang: str) -> str:
        """Name the wording shown in `lang`, for the receipt; `wordings` has the text."""
        return self._named(lang)[0]

    def known_banner(self, posted: str) -> str:
        """Return a posted banner hash if it is one of ours, else nothing: what a form sends is hostile.

        Another process may have shown it, in a language that this one has not spoken yet: its first digits say which.
        """
        if posted and posted not in self.wordings:
            for lang in LANGUAGES:
                if posted.startswith(hash_mark(lang)):
                    self._named(lang)
        return posted if posted in self.wordings else ""

    def language_of(self, banner: str) -> str:
        """Return the language of a wording by its hash; empty for none of ours."""
        return next((lang for lang, named in self._hashes.items() if banner in named), "")

    def banner(
        self,
        lang: str,
        *,
        base: str,
        next_: str,
        news: News | None = None,
        note: str | None = None,
        style: Allowance = INLINE,
        script: Allowance = INLINE,
        shadow: bool = True,
        links_say: bool = False,
        value: str = "",
    ) -> bytes:
        """Render the banner for the end of the body; the rest as `banner_pieces` has it."""
        pieces = self.banner_pieces(
            lang,
            base=base,
            news=news,
            note=note,
            style=style,
            script=script,
            shadow=shadow,
            links_say=links_say,
        )
        return filled(pieces, next_, style.nonce, script.nonce, form=value)

    def banner_pieces(
        self,
        lang: str,
        *,
        base: str,
        news: News | None = None,
        note: str | None = None,
        style: Allowance = INLINE,
        script: Allowance = INLINE,
        shadow: bool = True,
        links_say: bool = False,
    ) -> list[bytes]:
        """Render the banner in pieces, for `filled`; `note` names a text of the languages' [notes].

        `shadow`: a parser of HTML reads it as a part of its page, so it may stand in a declarative shadow root.
        `links_say`: links to our own pages name the language, since the browser alone would ask for another one.
        """
        also = f"lang={lang}" if links_say else ""
        key = ("banner", lang, base, note, news_key(news), form_of(style), form_of(script), shadow, also)
        self._note(lang)

        def make() -> str:
            return self._squeezed(
                "banner.html",
                lang,
                base=base,
                next=NEXT.decode(),
                choices_url=choices_url(base, also),
                note=texts_of(lang)["notes"][note] if note else "",
                news=news_line(news, PolicyTexts.of(lang), base=base, query=also, objects=self._objects),
                banner=f"{self.banner_hash(lang)}.{VALUE.decode()}",
                shadow=shadow,
                room=self._style("banner.css" if style.way is Way.FILE else "room.css", style, base),
                style=self._style("banner.css", style, base),
                script=self._script("banner.js", script, base),
            )

        return self._once(key, make)

    def control(
        self,
        lang: str,
        consent: Consent,
        *,
        base: str,
        next_: str,
        news: News | None = None,
        style: Allowance = INLINE,
        shadow: bool = True,
        is_new: bool = False,
        links_say: bool = False,
        holds: bool = False,
        value: str = "",
    ) -> bytes:
        """Render what stays once the banner is gone: the way to the choices, one click to withdraw.

        `shadow` and `links_say` as for the banner. `is_new`: the choice was made a moment ago, and the page says that
        it is saved. `holds`: pictures of the page may be held, and keep their boxes.
        """
        notice = control_notice(consent, texts_of(lang)["control"], is_new=is_new)
        also = f"lang={lang}" if links_say else ""
        key = (
            "control",
            lang,
            base,
            news_key(news),
            consent.is_beyond_necessary,
            notice,
            form_of(style),
            shadow,
            is_new,
            consent.is_waiting,
            also,
            holds,
        )

        def make() -> str:
            return self._squeezed(
                "control.html",
                lang,
                base=base,
                next=NEXT.decode(),
                choices_url=choices_url(base, also),
                withdraw=consent.is_beyond_necessary,
                value=VALUE.decode(),
                notice=notice,
                news=news_line(news, PolicyTexts.of(lang), base=base, query=also, objects=self._objects),
                shadow=shadow,
                held=self._style("held.css", style, base) if holds else "",
                saved=self._style("saved.css", style, base) if is_new else "",
                is_waiting=consent.is_waiting,
                style=self._style(["open.css", "news.css" if news else "control.css"][shadow], style, base),
            )

        return filled(self._once(key, make), next_, style.nonce, "", form=value)

    def live_script(self, *, base: str, script: Allowance, stamp: str = "", posted: bool = False) -> bytes:
        """Render the script that keeps our control on a page; with `stamp` it also loads stale pages again."""
        said = Markup(' data-cg="{}state?{}"').format(base, stamp) if stamp else ""
        return self._head_script(STALE_SCRIPTS[posted] if stamp else "live.js", base, script, said)

    def once_script(self, *, base: str, script: Allowance) -> bytes:
        """Render the script of a page that somebody was let in to: it takes the grant out of the address."""
        return self._head_script("once.js", base, script)

    def forget_script(self, keys: tuple[str, ...], *, base: str, script: Allowance) -> bytes:
        """Render the script that clears the browser's storage of these names and patterns."""
        return self._head_script("forget.js", base, script, Markup(' data-k="{}"').format(" ".join(keys)))

    def _head_script(self, name: str, base: str, script: Allowance, said: str = "") -> bytes:
        def make() -> str:
            return str(self._script(name, script, base)).replace("<script", f"<script{said}", 1)

        return filled(self._once((name, said, base, form_of(script)), make), "", "", script.nonce)

    def guard_script(self, allowed: str, held: str, *, base: str, script: Allowance) -> bytes:
        """Render the guard: patterns of the addresses it lets through, and of what may not be kept in the browser."""
        places = base + self._files["places.js"].name
        return self.script_with_words("guard.js", f"{allowed} {held} {places}", base=base, script=script)

    def script_with_words(self, name: str, words: str, *, base: str, script: Allowance) -> bytes:
        """Render a script that is told something. Nothing of the page may run before: a file of ours is waited for."""

        def make() -> str:
            told = Markup('<script data-cg="{}"').format(words)
            return str(self._script(name, script, base)).replace("<script", told, 1).replace(WAITS, "", 1)

        return filled(self._once((name, words, base, form_of(script)), make), "", "", script.nonce)

    def srcdoc(self, place: Place, *, style: Allowance) -> bytes:
        """Render a placeholder as the value of an iframe's `srcdoc`, escaped for double quotes."""
        key = ("srcdoc", place.lang, place.base, place.offer, place.scheme, place.links_say, form_of(style))
        text = self._once(key, lambda: in_attribute(self._place(place, style)))
        next_, title = str(escape(place.next)), str(escape(place.title or place.offer.name))
        return filled(text, next_, style.nonce, "", anchor=place.anchor, title=title, form=place.value)

    def place_page(self, place: Place) -> bytes:
        """Render a placeholder as a page of its own."""
        text = self._place(place, Allowance(Way.FILE))
        pieces, title = MARKERS.split(to_ascii(text)), place.title or place.offer.name
        return filled(pieces, place.next, "", "", anchor=place.anchor, title=title, form=place.value)

    def place_title(self, place: Place) -> bytes:
        """Name a placeholder, for an element that has no name of its own; escaped for double quotes."""
        lang, name = place.lang, place.offer.name

        def make() -> str:
            return str(escape(fill(texts_of(lang)["embed"]["title"], "name", name)))

        return b"".join(self._once(("title", lang, name), make))

    def _place(self, place: Place, style: Allowance) -> str:
        offer = place.offer
        shown = {one.id: one.title for one in self._purposes(place.lang)}
        privacy = next((one.privacy_url for one in self._config.vendors if one.name == offer.name), "")
        return self._squeezed(
            "embed.html",
            place.lang,
            base=place.base,
            next=NEXT.decode(),
            at=ANCHOR.decode(),
            title=TITLE.decode(),
            offer=offer,
            purpose=shown.get(offer.purpose, offer.purpose),
            privacy=privacy,
            banner=f"{self._named(place.lang)[1]}.{VALUE.decode()}",
            scheme=place.scheme,
            choices_url=f"{place.base}choices" + (f"?lang={place.lang}" if place.links_say else ""),
            style=self._style("embed.css", style, place.base),
        )

    def choices_page(
        self,
        lang: str,
        consent: Consent,
        *,
        base: str,
        next_: str,
        note: str | None = None,
        copy: str = "",
        value: str = "",
        ticked: frozenset[str] | None = None,
    ) -> bytes:
        """Render the page of privacy choices: purposes, who is behind them, and what is in force.

        `copy` is where the visitor's own copy of it is. `ticked` is a choice that was posted and not taken.
        """
        texts = texts_of(lang)
        notices = page_notices(consent, texts)
        self._note(lang)
        return self.page(
            "choices.html",
            lang,
            base=base,
            next=next_,
            note=texts["notes"][note] if note else "",
            notices=notices if ticked is None else [texts["page"]["stale"], *notices],
            state=consent.state.value,
            granted=consent.granted if ticked is None else ticked,
            receipt=consent.receipt,
            copy=copy,
            decided=date_text(consent.decided, lang) if consent.decided else "",
            banner=f"{self.banner_hash(lang)}.{value}",
            posted=ticked is not None,
        )

    def page(self, template: str, lang: str, *, posted: bool = False, **values: object) -> bytes:
        """Render a page of our own, with its style sheet and script; `posted`: it answers a POST."""
        css, script = self._files["page.css"].name, self._files[STALE_SCRIPTS[posted]].name
        return to_ascii(self._render(template, lang, css=css, script=script, **values))

    def _note(self, lang: str) -> None:
        """Tell the owner once where one text of the shop's stands among ours of another language than its own."""
        if lang not in self._unmixed:
            self._unmixed.add(lang)
            logger.warning("%s", mixed_languages(self._config, lang))

    def _named(self, lang: str) -> tuple[str, str]:
        """Return the hashes of the wordings in a language: of the banner, and of the placeholder."""
        if lang not in self._hashes:
            embed = repr(texts_of(lang)["embed"]) + self.own_texts.get("embed.html", "")
            texts = self.wording(lang), to_ascii(embed)
            of_banner, of_embed = (hash_mark(lang) + digest(text)[len(hash_mark(lang)) :] for text in texts)
            self.wordings |= zip((of_banner, of_embed), texts, strict=True)
            self._hashes[lang] = of_banner, of_embed
        return self._hashes[lang]

    def wording(self, lang: str, news: News | None = None) -> bytes:
        """Return the banner's text for the consent log, with the line that announces a version of the policy."""
        nothing = dict.fromkeys(
            ("base", "next", "choices_url", "note", "banner", "room", "style", "script"), ""
        )
        line = news_line(news, PolicyTexts.of(lang), base="", objects=self._objects)
        return to_ascii(self._squeezed("banner.html", lang, shadow=False, news=line, **nothing))

    def _once(self, key: tuple[object, ...], make: Callable[[], str]) -> list[bytes]:
        """Return a rendered text in pieces: what is between the markers, and the markers."""
        found = self._rendered.get(key)
        if found is None:
            if len(self._rendered) >= RENDERED_KEPT:
                self._rendered.clear()
            found = self._rendered[key] = MARKERS.split(to_ascii(make()))
        return found

    def _squeezed(self, template: str, lang: str, **values: object) -> str:
        lines = (line.strip() for line in self._render(template, lang, **values).splitlines())
        return "\n".join(line for line in lines if line)

    def _render(self, template: str, lang: str, **values: object) -> str:
        given = self._template_values(lang, **values)
        own = self._own.rendered(template, given)
        return self._environment.get_template(template).render(given, own=own)

    def _template_values(self, lang: str, **values: object) -> dict[str, object]:
        texts, shown = texts_of(lang), self._purposes(lang)
        titles = texts["meta"]["comma"].join(one.title for one in shown if not one.is_necessary)
        return {
            "t": texts,
            "lang": lang,
            "purposes": shown,
            "titles": titles,
            "text": texts["banner"]["text"].replace("{purposes}", titles),
            "privacy_url": self._privacy_url(str(values.get("base", ""))),
            **values,
        }

    def _style(self, name: str, allowed: Allowance, base: str) -> Markup:
        return style_element(self._files[name], allowed, base)

    def _script(self, name: str, allowed: Allowance, base: str) -> Markup:
        return script_element(self._files[name], allowed, base)

    def _privacy_url(self, base: str) -> str:
        policy = self._config.policy
        return policy.privacy_url or (f"{base}policy" if policy.folder else "")
