// Lazy loaders, scripts made by script, modules, workers, templates, state.
shop({
  "lazy-image": async () => {
    const box = markup('<img data-src="/i/1.svg" loading=lazy>').firstChild;
    box.src = box.dataset.src; box.removeAttribute("data-src");
    await heard(box, "load");
    return box.outerHTML + box.naturalWidth;
  },
  "lazy-srcset": () => {
    const box = markup('<picture><source data-srcset="/a.webp 2x"><img data-srcset="/a.jpg 2x"></picture>');
    box.querySelectorAll("[data-srcset]").forEach(one => one.setAttribute("srcset", one.dataset.srcset));
    return box.innerHTML;
  },
  "lazy-background": () => {
    const box = markup('<div data-bg="/i/1.svg"></div>').firstChild;
    box.style.background = `url("${box.dataset.bg}")`;
    return box.style.background;
  },
  "lazy-frame": async () => {
    const box = markup('<iframe data-src="/own" title=own></iframe>').firstChild;
    box.src = box.dataset.src;
    await heard(box, "load");
    return box.contentDocument.title + box.outerHTML;
  },
  "lazy-frame-attribute": async () => {
    const box = markup('<iframe loading=lazy data-src="/own"></iframe>').firstChild;
    box.setAttribute("src", box.getAttribute("data-src"));
    await heard(box, "load");
    return box.contentDocument.title + box.src.slice(-4);
  },
  "image-error": async () => {
    const box = make("img", {src: "/missing.jpg"}), said = heard(box, "error");
    put(box);
    await said;
    box.onerror = null; box.src = "/i/1.svg";
    return box.getAttribute("src");
  },
  "image-onload-attribute": async () => {
    const box = markup('<img src="/i/1.svg" onload="this.className=\'ready\'">').firstChild;
    await heard(box, "load"); await later();
    return box.className;
  },
  "image-decode": async () => {
    const one = new Image(); one.src = "/i/1.svg";
    await one.decode();
    return one.width;
  },
  "script-src": async () => {
    const one = make("script", {src: "/lib.js", async: true});
    document.head.appendChild(one);
    await heard(one, "load");
    return window.lib + one.outerHTML;
  },
  "script-before-first": async () => {
    const one = document.createElement("script"), first = document.getElementsByTagName("script")[0];
    one.type = "text/javascript"; one.src = "/lib.js?2";
    first.parentNode.insertBefore(one, first);
    await heard(one, "load");
    return one.getAttribute("type") + window.lib;
  },
  "script-order": async () => {
    window.order = [];
    const ones = ["a", "b"].map(name => make("script", {src: `/order.js?${name}`, async: false}));
    ones.forEach(one => document.head.append(one));
    await heard(ones[1], "load");
    return window.order;
  },
  "script-error": async () => {
    const one = make("script", {src: "/no-such.js"}), said = heard(one, "error");
    document.head.append(one);
    return (await said).type;
  },
  "script-text-node": () => {
    const one = document.createElement("script");
    one.appendChild(document.createTextNode("window.said1 = 1"));
    document.head.appendChild(one).parentNode.removeChild(one);
    return window.said1;
  },
  "script-inner": () => {
    const one = document.createElement("script");
    one.innerHTML = "window.said2 = '<iframe>' + 2";
    document.head.appendChild(one);
    return window.said2 + one.innerHTML;
  },
  "script-inner-text": () => {
    const one = document.createElement("script");
    one.innerText = "window.said3 = 3";
    document.head.append(one);
    return window.said3 + one.textContent;
  },
  "script-set-text-of-a-frame": () => script("window.code = '<iframe src=\"https://film.example/x\"></iframe>'").text + window.code,
  "script-clone": async () => {
    const box = markup("<script>window.cloned = (window.cloned || 0) + 1<\/script>"), old = box.firstChild;
    const one = document.createElement("script");
    [...old.attributes].forEach(each => one.setAttribute(each.name, each.value));
    one.textContent = old.textContent;
    old.replaceWith(one);
    return window.cloned;
  },
  "script-in-markup-sleeps": () => {
    markup("<script>window.awake = 1<\/script>");
    return `awake: ${window.awake}`;
  },
  "script-fragment-runs": () => {
    put(document.createRange().createContextualFragment("<script>window.risen = 4<\/script>"));
    return window.risen;
  },
  "script-attributes": () => {
    const one = document.createElement("script");
    one.setAttribute("data-key", "k"); one.toggleAttribute("defer"); one.dataset.more = "1"; one.id = "s1";
    one.crossOrigin = "anonymous"; one.integrity = "sha384-x"; one.referrerPolicy = "origin"; one.noModule = true;
    return one.outerHTML;
  },
  "script-src-reads-back": () => [make("script", {src: "/x"}).src.endsWith("/x"), make("script", {src: away}).src,
    make("script", {src: away}).getAttribute("src")],
  "script-nonce": () => { const one = make("script", {nonce: "n"}); return one.nonce + one.outerHTML; },
  "module-script": async () => {
    const one = make("script", {type: "module", textContent: "import {count} from '/module.js'; window.counted = count;"});
    document.head.append(one);
    await until(() => window.counted);
    return window.counted;
  },
  "dynamic-import": async () => (await import("/module.js")).count,
  "import-map": async () => {
    document.head.append(make("script", {type: "importmap", textContent: '{"imports": {"shop/count": "/module.js"}}'}));
    return (await import("shop/count")).count;
  },
  "module-preload": () => { document.head.append(make("link", {rel: "modulepreload", href: "/module.js"}));
    return document.head.lastChild.outerHTML; },
  "worker": async () => {
    const one = new Worker("/worker.js"), said = heard(one, "message");
    one.postMessage(2);
    return (await said).data;
  },
  "worker-blob": async () => {
    const url = URL.createObjectURL(new Blob(["postMessage('<iframe>'.length)"], {type: "text/javascript"}));
    return (await heard(new Worker(url), "message")).data;
  },
  "json-ld": () => {
    const said = {"@type": "Product", url: away, description: "speculaas <iframe src='https://film.example'>", sameAs: [away]};
    document.head.append(make("script", {type: "application/ld+json", text: JSON.stringify(said)}));
    return document.head.lastChild.outerHTML;
  },
  "json-ld-content": () => {
    const one = document.createElement("script");
    one.type = "application/ld+json";
    one.textContent = '{"@id":"https://film.example/","name":"A speculative novel"}';
    document.head.appendChild(one);
    return one.textContent;
  },
  "json-state": () => {
    const one = script('window.__STATE__ = JSON.parse(\'{"embed":"<iframe src=https://film.example></iframe>"}\')');
    return window.__STATE__.embed + one.text.length;
  },
  "json-in-markup": () => {
    const box = markup(`<script type="application/json">{"embed":"<iframe src='/own'></iframe>","at":"${away}"}<\/script>`);
    return JSON.parse(box.firstChild.textContent).at + box.innerHTML;
  },
  "state-in-attribute": () => {
    const box = markup(`<div data-state='{"link":"${away}","html":"<link rel=icon href=/x>"}'></div>`).firstChild;
    return JSON.parse(box.dataset.state).html + box.outerHTML;
  },
  "template-element": () => {
    const one = make("template");
    one.innerHTML = "<li class=row><a></a></li>";
    const row = one.content.firstElementChild.cloneNode(true);
    row.querySelector("a").href = away;
    return put(row).outerHTML;
  },
  "document-fragment": () => {
    const some = document.createDocumentFragment();
    for (const n of [1, 2, 3]) some.append(make("i", {textContent: n}));
    return put(make("div")).appendChild(some).childNodes.length + document.getElementById("stage").innerHTML;
  },
  "template-literal": () => {
    const html = (parts, ...values) => parts.reduce((text, part, n) => text + String(values[n - 1]).replace(/</g, "&lt;") + part);
    return markup(html`<p title="${'"<iframe'}">${"<link>"}</p>`).innerHTML;
  },
  "custom-element": () => {
    if (!customElements.get("shop-box"))
      customElements.define("shop-box", class extends HTMLElement {
        static observedAttributes = ["n"];
        connectedCallback() { this.attachShadow({mode: "open"}).innerHTML = "<slot></slot><b>x</b>"; }
        attributeChangedCallback(name, old, now) { this.said = `${name}${old}${now}`; }
      });
    const box = markup("<shop-box n=1>y</shop-box>").firstChild;
    box.setAttribute("n", 2);
    return box.shadowRoot.innerHTML + box.said;
  },
  "custom-builtin": () => {
    if (!customElements.get("shop-link"))
      customElements.define("shop-link", class extends HTMLAnchorElement { get said() { return this.href; } }, {extends: "a"});
    return make("a", {}).outerHTML + document.createElement("a", {is: "shop-link"}).said;
  },
  "form-associated": () => {
    if (!customElements.get("shop-field"))
      customElements.define("shop-field", class extends HTMLElement {
        static formAssociated = true;
        constructor() { super(); this.attachInternals().setFormValue("v"); }
      });
    return [...new FormData(markup("<form><shop-field name=f></shop-field></form>").firstChild)].join();
  },
  "declarative-shadow": () => {
    const box = put(make("div"));
    box.setHTMLUnsafe("<div><template shadowrootmode=open><p>in</p></template></div>");
    return box.firstChild.shadowRoot.innerHTML;
  },
  "get-html": () => {
    const box = put(make("div"));
    box.attachShadow({mode: "open", serializable: true}).innerHTML = "<p>in";
    return box.getHTML({serializableShadowRoots: true});
  },
  "sheet-made": () => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("p { color: rgb(1, 2, 3) }");
    document.adoptedStyleSheets = [sheet];
    const said = getComputedStyle(markup("<p>x").firstChild).color;
    document.adoptedStyleSheets = [];
    return said;
  },
  "style-element": () => {
    const one = make("style", {textContent: "#styled { color: rgb(3, 2, 1) }"});
    document.head.append(one);
    one.sheet.insertRule("#styled { width: 7px; display: block }");
    return getComputedStyle(put(make("p", {id: "styled"}))).color + one.sheet.cssRules.length;
  },
  "sheet-link": async () => {
    const one = make("link", {rel: "stylesheet", href: "/shop.css"}), said = heard(one, "load");
    document.head.append(one);
    await said;
    return one.sheet.cssRules.length + one.outerHTML;
  },
  "sheet-preload-trick": async () => {
    const one = make("link", {rel: "preload", as: "style", href: "/shop.css"});
    one.onload = () => { one.onload = null; one.rel = "stylesheet"; };
    document.head.append(one);
    await until(() => one.rel == "stylesheet");
    return one.rel;
  },
  "sheet-media-trick": () => {
    const one = make("link", {rel: "stylesheet", href: "/shop.css", media: "print"});
    document.head.append(one);
    one.media = "all";
    return one.outerHTML;
  },
  "favicon": () => {
    const one = document.createElement("link");
    one.rel = "icon"; one.href = "data:image/svg+xml,<svg/>";
    document.head.appendChild(one);
    return one.outerHTML;
  },
  "link-words": () => ["canonical", "alternate", "prev", "author", "license"].map(rel =>
    make("link", {rel, href: `${away}/precommande/prerelease-dns?precision=preconnect`}).outerHTML),
  "link-words-attributes": () => {
    const one = document.createElement("link");
    one.setAttribute("rel", "alternate"); one.setAttribute("hreflang", "fr"); one.setAttribute("href", `${away}/precommande`);
    return one.outerHTML;
  },
  "link-title": () => make("link", {rel: "search", title: "prerender", href: away}).outerHTML,
  "link-markup": () => markup(`<link rel=canonical href="${away}/precommande"><link rel=author title=dns href=${away}>`).innerHTML,
  "meta-words": () => ["og:url", "og:image", "twitter:image"].map(name => {
    const one = document.createElement("meta");
    one.setAttribute("property", name); one.setAttribute("content", `${away}/refreshing-drinks.jpg`);
    return one.outerHTML;
  }),
  "meta-name": () => make("meta", {name: "refresh-token", content: away}).outerHTML,
  "meta-markup": () => markup(`<meta property="og:url" content="${away}/refresh">`).innerHTML,
  "meta-theme": () => { const one = make("meta", {name: "theme-color", content: "#fff"}); one.content = "#000";
    return one.outerHTML; },
  "base-target": () => {
    const one = make("base", {target: "_self"});
    document.head.append(one);
    const said = one.outerHTML + document.baseURI.endsWith("/");
    one.remove();
    return said;
  },
  "speculation-own": () => make("script", {type: "speculationrules",
    textContent: '{"prefetch":[{"source":"document","where":{"href_matches":"/p/*"}}]}'}).outerHTML,
  "speculation-own-markup": () => make("script", {type: "speculationrules",
    innerHTML: '{"prefetch":[{"source":"list","urls":["/own"]}]}'}).outerHTML,
  "json-ld-markup": () => { const one = make("script", {type: "application/ld+json", innerHTML: `{"url":"${away}/p"}`});
    one.insertAdjacentHTML("beforeend", " ");
    return one.outerHTML; },
  "field-named-type": () => { const one = make("form", {innerHTML: '<input name="type" value="speculationrules">'});
    one.insertAdjacentHTML("beforeend", `<a href="${away}/p">p</a>`);
    return one.outerHTML; },
  "prefetch-own": () => { const one = make("link", {rel: "prefetch", href: "/own"}); document.head.append(one);
    return one.outerHTML; },
  "jsonp": async () => {
    const said = new Promise(done => { window.jsonp = done; });
    document.body.append(make("script", {src: "/jsonp.js"}));
    return said;
  },
  "eval": () => (0, eval)("1 + 1") + new Function("a", "return a + 1")(2),
  "timer-text": async () => { setTimeout("window.timed = 5", 0); await until(() => window.timed); return window.timed; },
  "idle": async () => new Promise(done => requestIdleCallback(() => done("idle"))),
  "microtasks": async () => {
    const said = [];
    queueMicrotask(() => said.push(2)); said.push(1); await 0; said.push(3);
    return said;
  },
  "mutations": async () => {
    const box = put(make("div")), said = [];
    const eye = new MutationObserver(all => said.push(...all.map(one => one.type + one.attributeName + one.addedNodes.length)));
    eye.observe(box, {childList: true, attributes: true, subtree: true});
    const one = make("iframe"); box.append(one); one.setAttribute("title", "a"); one.src = "/own"; one.toggleAttribute("hidden");
    const two = make("script"); box.append(two); two.text = "0"; two.setAttribute("data-a", 1); box.append(make("link"));
    await 0;
    eye.disconnect();
    return said;
  },
  "mutations-of-markup": async () => {
    const box = put(make("div")), said = [];
    const eye = new MutationObserver(all => all.forEach(one => said.push(one.addedNodes.length)));
    eye.observe(box, {childList: true, subtree: true});
    box.innerHTML = "<iframe srcdoc=x></iframe><p>a"; box.insertAdjacentHTML("beforeend", "<link><b>");
    await 0;
    eye.disconnect();
    return said;
  },
});
