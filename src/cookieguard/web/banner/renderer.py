"""Render what visitors see: the banner, the control that follows it, placeholders, and the page of privacy choices.

Templates, style sheets, scripts and languages are in static/. The output is pure ASCII, with other characters as
references, so it fits a page in any ASCII-compatible encoding. It is also well-formed XML.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

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

# Languages x bases x allowances. A base may contain the Host header, which a client chooses, so there is a limit.
RENDERED_KEPT = 256
LANGUAGES_KEPT = 256
STALE_SCRIPTS = ("stale.js", "posted.js")  # the second is for a page that answers a POST
LONGEST_LANGUAGES = 200  # characters of a key in the cache, since a client may send a header of any length


class Renderer:
    """Render what visitors see, from the configuration and the files in static/. Owns a cache of rendered texts.

    `base` is root_path and prefix (`/_cg/`), with the origin in front if the page has a foreign `<base>`. `next` is a
    local path (see consent.local_path).
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._purposes = cache(lambda lang: shown_purposes(config, lang))
        has_one_text = any(purpose.has_one_text for purpose in config.purposes)
        # Languages of banners that need no warning. A shop's text in one language fits only its default language.
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
        found["room.css"] = load_asset("room.css", config.look)  # always inline, so not in `assets`
        self._hashes: dict[str, tuple[str, str, str]] = {}  # by language, as `wording_hashes` returns them
        self.wordings: dict[str, bytes] = {}
        judge_own(self._own, language_of(default), config.languages, self._template_values)
        self.wording_hashes(language_of(default))

    @property
    def own_texts(self) -> Mapping[str, str]:
        """Return the text of the shop's own templates and style sheets, by file."""
        return self._own.texts

    def pick_language(self, html_lang: str, accept_language: str) -> str:
        """Return the language to use: the page's, else the browser's, else the shop's default."""
        is_short = len(html_lang) + len(accept_language) <= LONGEST_LANGUAGES
        return (self._pick if is_short else self._pick.__wrapped__)(html_lang, accept_language)

    def banner_hash(self, lang: str) -> str:
        """Return the hash of the banner's wording in `lang`, for the receipt; `wordings` has its text."""
        return self.wording_hashes(lang)[0]

    def known_banner(self, posted: str) -> str:
        """Return a posted banner hash if it is one of ours, else "", since a client may post any text.

        Another process may have shown it in a language that this process has not rendered yet. Its first two digits
        tell which languages to try.
        """
        if posted and posted not in self.wordings:
            for lang in LANGUAGES:
                if posted.startswith(hash_mark(lang)):
                    self.wording_hashes(lang)
        return posted if posted in self.wordings else ""

    def language_of(self, banner: str) -> str:
        """Return the language of a wording by its hash; empty if the hash is not ours."""
        return next((lang for lang, hashes in self._hashes.items() if banner in hashes), "")

    def banner(
        self,
        lang: str,
        *,
        next_: str,
        style: Allowance = INLINE,
        script: Allowance = INLINE,
        value: str = "",
        **more: Any,
    ) -> bytes:
        """Return the banner for the end of the body; `banner_pieces` describes the other parameters."""
        pieces = self.banner_pieces(lang, style=style, script=script, **more)
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
        again: bool = False,
    ) -> list[bytes]:
        """Return the banner in pieces, for `filled`; `note` names a text in the [notes] of a language file.

        `shadow`: an HTML parser reads it within its page, so it can be in a declarative shadow root.
        `links_say`: links to our own pages name the language, since Accept-Language would give another one.
        `again`: the visitor agreed earlier, and is asked about what was added since then.
        """
        also = f"lang={lang}" if links_say else ""
        facts = (base, note, news_key(news), form_of(style), form_of(script), shadow, also, again)
        self._warn_if_mixed(lang)

        def make() -> str:
            return self._squeezed(
                "banner.html",
                lang,
                base=base,
                next=NEXT.decode(),
                choices_url=choices_url(base, also),
                note=texts_of(lang)["notes"][note] if note else "",
                news=news_line(news, PolicyTexts.of(lang), base=base, query=also, objects=self._objects),
                banner=f"{self.wording_hashes(lang)[2 if again else 0]}.{VALUE.decode()}",
                again=again,
                shadow=shadow,
                room=self._style("banner.css" if style.way is Way.FILE else "room.css", style, base),
                style=self._style("banner.css", style, base),
                script=self._script("banner.js", script, base),
            )

        return self._cached(("banner", lang, *facts), make)

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
        """Return the control that follows the banner: a link to the choices, and a button to withdraw.

        `shadow` and `links_say` as for the banner. `is_new`: the choice was made a moment ago, so the control says that
        it is saved. `holds`: pictures of the page may be held, so a style sheet keeps their boxes.
        """
        notice = control_notice(consent, texts_of(lang)["control"], is_new=is_new)
        also = f"lang={lang}" if links_say else ""
        sheet = "news.css" if news else "control.css"
        state = (consent.is_beyond_necessary, consent.is_waiting, is_new)
        key = ("control", lang, base, news_key(news), state, notice, form_of(style), shadow, also, holds)

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
                style=self._style(sheet if shadow else "open.css", style, base),
            )

        return filled(self._cached(key, make), next_, style.nonce, "", form=value)

    def live_script(self, *, base: str, script: Allowance, stamp: str = "", posted: bool = False) -> bytes:
        """Return the script that keeps our control on a page; with `stamp` it also reloads stale pages."""
        data = Markup(' data-cg="{}state?{}"').format(base, stamp) if stamp else ""
        return self._head_script(STALE_SCRIPTS[posted] if stamp else "live.js", base, script, data)

    def once_script(self, *, base: str, script: Allowance) -> bytes:
        """Return the script of a page that was opened with "load once": it removes the grant from the address."""
        return self._head_script("once.js", base, script)

    def forget_script(self, keys: tuple[str, ...], *, base: str, script: Allowance) -> bytes:
        """Return the script that removes these keys, or patterns of keys, from the browser's storage."""
        return self._head_script("forget.js", base, script, Markup(' data-k="{}"').format(" ".join(keys)))

    def _head_script(self, name: str, base: str, script: Allowance, data: str = "") -> bytes:
        def make() -> str:
            return str(self._script(name, script, base)).replace("<script", f"<script{data}", 1)

        return filled(self._cached((name, data, base, form_of(script)), make), "", "", script.nonce)

    def guard_script(self, allowed: str, held: str, *, base: str, script: Allowance) -> bytes:
        """Return the guard; `allowed` matches the addresses that it allows, `held` the storage keys that it blocks."""
        places = base + self._files["places.js"].name
        return self.script_with_words("guard.js", f"{allowed} {held} {places}", base=base, script=script)

    def script_with_words(self, name: str, words: str, *, base: str, script: Allowance) -> bytes:
        """Return a script with `words` as its data; without `defer`, so that it runs before the page's own scripts."""

        def make() -> str:
            start = Markup('<script data-cg="{}"').format(words)
            return str(self._script(name, script, base)).replace("<script", start, 1).replace(WAITS, "", 1)

        return filled(self._cached((name, words, base, form_of(script)), make), "", "", script.nonce)

    def srcdoc(self, place: Place, *, style: Allowance) -> bytes:
        """Return a placeholder as the value of an iframe's `srcdoc`, escaped for double quotes."""
        key = ("srcdoc", place.lang, place.base, place.offer, place.scheme, place.links_say, form_of(style))
        text = self._cached(key, lambda: in_attribute(self._place(place, style)))
        next_, title = str(escape(place.next)), str(escape(place.title or place.offer.name))
        return filled(text, next_, style.nonce, "", anchor=place.anchor, title=title, form=place.value)

    def place_page(self, place: Place) -> bytes:
        """Return a placeholder as a page of its own."""
        text = self._place(place, Allowance(Way.FILE))
        pieces, title = MARKERS.split(to_ascii(text)), place.title or place.offer.name
        return filled(pieces, place.next, "", "", anchor=place.anchor, title=title, form=place.value)

    def place_title(self, place: Place) -> bytes:
        """Return a title for a placeholder whose element has none; escaped for double quotes."""
        lang, name = place.lang, place.offer.name

        def make() -> str:
            return str(escape(fill(texts_of(lang)["embed"]["title"], "name", name)))

        return b"".join(self._cached(("title", lang, name), make))

    def _place(self, place: Place, style: Allowance) -> str:
        offer = place.offer
        titles = {purpose.id: purpose.title for purpose in self._purposes(place.lang)}
        urls = (vendor.privacy_url for vendor in self._config.vendors if vendor.name == offer.name)
        return self._squeezed(
            "embed.html",
            place.lang,
            base=place.base,
            next=NEXT.decode(),
            at=ANCHOR.decode(),
            title=TITLE.decode(),
            offer=offer,
            purpose=titles.get(offer.purpose, offer.purpose),
            privacy=next(urls, ""),
            banner=f"{self.wording_hashes(place.lang)[1]}.{VALUE.decode()}",
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
        """Return the page of privacy choices: the purposes, the vendors of each, and the choice in force.

        `copy` is the address of the visitor's own copy. `ticked` is a choice that was posted but not accepted. Without
        `next_`, as in the consent log, the page leaves out the choice in force, which differs between visitors.
        """
        texts = texts_of(lang)
        notices = page_notices(consent, texts)
        self._warn_if_mixed(lang)
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
        """Return a page of our own, with its style sheet and script; `posted`: it answers a POST."""
        css, script = self._files["page.css"].name, self._files[STALE_SCRIPTS[posted]].name
        return to_ascii(self._render(template, lang, css=css, script=script, **values))

    def _warn_if_mixed(self, lang: str) -> None:
        """Warn the owner, once per language, that a text of the shop in one language is mixed with ours in another."""
        if lang not in self._unmixed:
            self._unmixed.add(lang)
            logger.warning("%s", mixed_languages(self._config, lang))

    def wording_hashes(self, lang: str) -> tuple[str, str, str]:
        """Return the hashes of a language's wordings: banner, placeholder, and the banner that asks again."""
        if lang not in self._hashes:
            embed = repr(texts_of(lang)["embed"]) + self.own_texts.get("embed.html", "")
            texts = self.wording(lang), to_ascii(embed), self.wording(lang, again=True)
            first, place, again = (hash_mark(lang) + digest(text)[len(hash_mark(lang)) :] for text in texts)
            self.wordings |= zip((first, place, again), texts, strict=True)
            self._hashes[lang] = first, place, again
        return self._hashes[lang]

    def wording(self, lang: str, news: News | None = None, *, again: bool = False) -> bytes:
        """Return the banner's text for the consent log, with the line that announces a version of the policy."""
        empty = dict.fromkeys(
            ("base", "next", "choices_url", "note", "banner", "room", "style", "script"), ""
        )
        line = news_line(news, PolicyTexts.of(lang), base="", objects=self._objects)
        return to_ascii(self._squeezed("banner.html", lang, shadow=False, news=line, again=again, **empty))

    def _cached(self, key: tuple[object, ...], make: Callable[[], str]) -> list[bytes]:
        """Return a text from the cache, or from `make`, in pieces: text and markers in turn."""
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
        titles = texts["meta"]["comma"].join(purpose.title for purpose in shown if not purpose.is_necessary)
        return {
            "t": texts,
            "lang": lang,
            "purposes": shown,
            "titles": titles,
            "text": texts["banner"]["again" if values.get("again") else "text"].replace("{purposes}", titles),
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
