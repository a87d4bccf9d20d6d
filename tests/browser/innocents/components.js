// Web components, small frameworks, template engines and editors, as shops write them.
const refused = [];
addEventListener("securitypolicyviolation", event => refused.push(`${event.effectiveDirective} ${event.blockedURI}`));
const define = (name, made) => { if (!customElements.get(name)) customElements.define(name, made); return name; };
shop({
  "upgrade-after-markup": async () => {
    const box = markup('<late-card price="3"><span slot="name">Pot</span></late-card>');
    define("late-card", class extends HTMLElement {
      static observedAttributes = ["price"];
      attributeChangedCallback(name, old, value) { this.seen = (this.seen || "") + `${name}:${old}>${value};`; }
      connectedCallback() { this.attachShadow({mode: "open"}).innerHTML = `<slot name="name"></slot><b>${this.getAttribute("price")}</b>`; }
    });
    box.firstChild.setAttribute("price", "4");
    return box.firstChild.seen + box.firstChild.shadowRoot.innerHTML;
  },
  "upgrade-in-order": () => {
    const seen = [];
    define("order-one", class extends HTMLElement { constructor() { super(); seen.push("made"); } connectedCallback() { seen.push(this.children.length); } });
    const box = put(make("div"));
    box.innerHTML = "<order-one><i></i></order-one><order-one></order-one>";
    seen.push("after");
    box.insertAdjacentHTML("beforeend", "<order-one><b></b></order-one>");
    return seen;
  },
  "upgrade-only-when-put-in": () => {
    const seen = [];
    define("cold-one", class extends HTMLElement { constructor() { super(); seen.push("made"); } });
    const cold = document.createElement("template");
    cold.innerHTML = "<cold-one></cold-one>";
    const other = new DOMParser().parseFromString("<cold-one></cold-one>", "text/html");
    seen.push("parsed");
    put(document.importNode(cold.content, true));
    return seen + other.body.innerHTML;
  },
  "frame-in-a-component": async () => {
    let loads = 0;
    define("own-frame", class extends HTMLElement {
      connectedCallback() {
        const root = this.attachShadow({mode: "closed"});
        root.innerHTML = '<style>iframe{border:0}</style><iframe src="/own" title=map></iframe>';
        this.frame = root.querySelector("iframe");
        this.frame.addEventListener("load", () => loads++);
      }
    });
    const one = put(make("own-frame"));
    await until(() => loads); await later(50);
    return loads + one.frame.contentDocument.title + one.frame.outerHTML;
  },
  "frame-class-of-its-own": async () => {
    define("lazy-film", class extends HTMLIFrameElement {});
    if (!customElements.get("film-frame")) customElements.define("film-frame", class extends HTMLIFrameElement {
      connectedCallback() { this.title = "film"; this.src = "/own"; } }, {extends: "iframe"});
    const one = put(document.createElement("iframe", {is: "film-frame"}));
    await heard(one, "load");
    return one.outerHTML + one.contentDocument.title;
  },
  "constructed-sheet": () => { const sheet = new CSSStyleSheet(); sheet.replaceSync("b{color:rgb(1,2,3)}");
    const host = put(make("div")), root = host.attachShadow({mode: "open"}); root.adoptedStyleSheets = [sheet];
    root.innerHTML = "<b>x</b>"; return getComputedStyle(root.firstChild).color; },
  "shadow-of-large-markup": () => { const root = put(make("div")).attachShadow({mode: "open"});
    root.innerHTML = "<article><link rel=icon href=/x><p>text &amp; more</p></article>".repeat(2000) + "<iframe title=a></iframe>".repeat(9);
    return [root.children.length, root.querySelectorAll("iframe").length, root.innerHTML.length]; },
  "shadow-set-html-unsafe": () => { const host = put(make("div"));
    host.setHTMLUnsafe('<p><template shadowrootmode="open"><iframe title=in></iframe></template>x</p>');
    return host.firstChild.shadowRoot.innerHTML + host.innerHTML; },
  "shadow-parsed": () => { const page = Document.parseHTMLUnsafe('<p><template shadowrootmode="open">deep</template></p>');
    return page.querySelector("p").shadowRoot.innerHTML; },
  "element-internals": () => { define("star-field", class extends HTMLElement { static formAssociated = true;
      constructor() { super(); this.inner = this.attachInternals(); } set value(v) { this.inner.setFormValue(v); } });
    const form = markup("<form><star-field name=stars></star-field></form>").firstChild; form.firstChild.value = "5";
    return new FormData(form).get("stars"); },
  "htmx-swap": async () => {
    const target = put(make("div")), text = await (await fetch("/section", {headers: {"HX-Request": "true"}})).text();
    const page = new DOMParser().parseFromString(`<body><template>${text}</template></body>`, "text/html");
    const content = page.querySelector("template").content;
    content.querySelectorAll("script").forEach(one => one.remove());
    target.replaceChildren(document.importNode(content, true));
    return target.querySelector("p").textContent;
  },
  "htmx-out-of-band": () => { const target = markup("<p id=oob>old</p>"), template = document.createElement("template");
    template.innerHTML = '<div id="oob" hx-swap-oob="outerHTML">new <iframe src="/own" title="f"></iframe></div>';
    template.content.querySelectorAll("[hx-swap-oob]").forEach(one => { one.removeAttribute("hx-swap-oob"); document.getElementById(one.id).outerHTML = one.outerHTML; });
    return target.innerHTML; },
  "alpine-like": () => { const box = markup('<div x-data="{open: false, n: 2}"><button @click="open = !open">t</button><i x-text="n * 2"></i></div>').firstChild;
    const state = new Function(`return ${box.getAttribute("x-data")}`)();
    const run = code => new Function("state", `with (state) { return ${code} }`)(state);
    box.querySelector("button").onclick = event => run(event.target.getAttribute("@click"));
    box.querySelector("[x-text]").innerText = run(box.querySelector("[x-text]").getAttribute("x-text"));
    box.querySelector("button").click(); return [state.open, box.innerHTML]; },
  "alpine-x-html": () => { const one = put(make("div")); one.innerHTML = '<iframe src="/own" loading="lazy"></iframe><p>html</p>'; return one.innerHTML; },
  "stimulus-like": async () => { const seen = [], box = put(make("div"));
    const watch = new MutationObserver(all => all.forEach(one => one.addedNodes.forEach(node => node.dataset?.controller && seen.push(node.dataset.controller))));
    watch.observe(box, {childList: true, subtree: true});
    box.innerHTML = '<div data-controller="cart"><iframe title=x></iframe></div><div data-controller="menu"></div>';
    await later(20); watch.disconnect(); return seen; },
  "livewire-morph": () => { const box = markup('<ul><li id=a>1</li><li id=b><iframe title=keep srcdoc="<p>hi"></iframe></li></ul>').firstChild, kept = box.querySelector("iframe");
    const next = document.createElement("template"); next.innerHTML = "<ul><li id=a>2</li><li id=b></li><li id=c>3</li></ul>";
    for (const one of next.content.firstChild.children) { const old = box.querySelector(`#${one.id}`); old ? one.textContent && (old.textContent = one.textContent) : box.append(one.cloneNode(true)); }
    return [box.textContent, kept.isConnected, kept.getAttribute("srcdoc")]; },
  "unpoly-layer": async () => { const box = make("dialog"); put(box); box.innerHTML = await (await fetch("/section")).text(); box.showModal();
    const said = box.open + box.querySelector("p").textContent; box.close(); return said; },
  "turbo-stream": () => { define("shop-stream", class extends HTMLElement { connectedCallback() {
      document.getElementById(this.getAttribute("target")).append(this.firstElementChild.content.cloneNode(true)); this.remove(); } });
    const box = markup("<div id=list></div>"); box.insertAdjacentHTML("beforeend", '<shop-stream target=list><template><b>row</b><iframe title=r></iframe></template></shop-stream>');
    return box.innerHTML; },
  "jquery-parse-html": () => { const parse = text => { const page = document.implementation.createHTMLDocument(""), base = page.createElement("base");
      base.href = document.location.href; page.head.appendChild(base); page.body.innerHTML = text; return [...page.body.childNodes]; };
    const nodes = parse('<div class=p><a href="x">a</a><iframe src="/own"></iframe></div>text'); put(nodes[0]);
    return nodes[0].outerHTML + nodes[0].firstChild.href.slice(-2) + nodes.length; },
  "jquery-build-fragment": () => { const wrap = {tr: [2, "<table><tbody>", "</tbody></table>"], none: [0, "", ""]};
    return ["<tr><td>1</td></tr>", "<p>x</p><script>window.never = 1<\/script>"].map(text => { const [depth, open, close] = wrap[/<(\w+)/.exec(text)[1]] || wrap.none;
      let box = document.createElement("div"); box.innerHTML = open + text + close; for (let n = depth; n--;) box = box.lastChild; return box.innerHTML; }) + window.never; },
  "jquery-dom-eval": () => { const box = document.createElement("div"); box.innerHTML = "<b>x</b><script type=text/javascript>window.evaluated = 7<\/script>";
    for (const one of box.querySelectorAll("script")) { const run = document.createElement("script"); run.text = one.textContent; document.head.appendChild(run).parentNode.removeChild(run); }
    return window.evaluated; },
  "jquery-clone-with-frame": () => { const one = markup('<div><iframe data-src="/own" allowfullscreen width=3></iframe></div>').firstChild; return one.cloneNode(true).innerHTML; },
  "template-engine-with-frames": () => { const films = [{id: "a", t: "A & B"}, {id: "b", t: "\"q\""}], esc = text => text.replace(/[&"<]/g, one => `&#${one.charCodeAt(0)};`);
    const box = put(make("div")); box.innerHTML = films.map(one => `<figure><iframe src="/own?v=${one.id}" title="${esc(one.t)}"></iframe></figure>`).join("");
    return [...box.querySelectorAll("iframe")].map(one => one.getAttribute("src") + one.title); },
  "mustache-in-script": () => { const one = make("script", {type: "text/template"}); one.textContent = "<iframe src=\"/own?{{id}}\"></iframe><p>{{name}}</p>"; put(one);
    return one.innerHTML.replace(/{{(\w+)}}/g, "$1") + one.text.length; },
  "lit-like-parts": () => { const template = document.createElement("template"); template.innerHTML = "<p class=\"$a$\"><?lit$1$>text</p><iframe $src$=\"lit$1$\" .title=\"x\"></iframe><!--$b$-->";
    const walk = document.createTreeWalker(template.content, 129), seen = []; while (walk.nextNode()) seen.push(walk.currentNode.nodeName + (walk.currentNode.getAttributeNames?.() || walk.currentNode.data)); return seen; },
  "vue-like-attributes": () => { const one = make("iframe"); one.setAttribute("title", "x"); one["allow"] = "fullscreen"; one.setAttribute("src", "/own"); put(one); one.removeAttribute("src"); return one.outerHTML + one.src; },
  "react-like-properties": () => { const one = make("iframe"); for (const [name, value] of Object.entries({src: "/own", title: "t", allowFullScreen: true, className: "c", srcDoc: undefined}))
      value === undefined ? one.removeAttribute(name) : name in one && typeof value == "boolean" ? one[name] = value : one.setAttribute(name == "className" ? "class" : name, "" + value); put(one); return one.outerHTML; },
  "svelte-like-append": () => { const box = put(make("div")), one = document.createElement("iframe"); if (!one.src.endsWith("/own")) one.src = "/own"; box.insertBefore(one, null); const said = box.innerHTML; one.remove(); return said + box.childNodes.length; },
  "preact-hydrate": () => { const box = markup('<iframe src="/own" title="a"></iframe>'), one = box.firstChild, all = {}; for (const each of one.attributes) all[each.name] = each.value; one.title = "b"; return [JSON.stringify(all), one.attributes.length, box.innerHTML]; },
  "mutations-of-attributes": async () => { const seen = [], one = put(make("iframe")), watch = new MutationObserver(all => all.forEach(each => seen.push(`${each.attributeName}:${each.oldValue}`)));
    watch.observe(one, {attributes: true, attributeOldValue: true}); one.src = "/own"; one.setAttribute("title", "x"); one.src = "/section"; await later(20); watch.disconnect(); return seen; },
  "mutations-by-component": async () => { const seen = [], box = put(make("div")), watch = new MutationObserver(all => seen.push(all.map(each => each.addedNodes.length + "+" + each.removedNodes.length).join()));
    watch.observe(box, {childList: true}); box.innerHTML = "<p>1</p><iframe></iframe>"; box.insertAdjacentHTML("afterbegin", "<i></i><link rel=icon>"); box.innerHTML = ""; await later(20); watch.disconnect(); return seen; },
  "editor-typed-frame": () => { const box = put(make("div", {contentEditable: "true"})); box.innerHTML = "<p>x</p>"; getSelection().selectAllChildren(box);
    document.execCommand("insertHTML", false, "<b>bold</b><a href='/own'>l</a>"); const bold = box.innerHTML; document.execCommand("undo"); return bold + box.innerHTML; },
  "editor-in-a-frame": async () => { const one = put(make("iframe")), page = one.contentDocument; page.open(); page.write("<!doctype html><body contenteditable>text</body>"); page.close();
    page.execCommand("selectAll"); page.execCommand("bold"); return page.body.innerHTML + one.contentWindow.getSelection().toString(); },
  "editor-pasted": async () => { const box = put(make("div", {contentEditable: "true"})), data = new DataTransfer(); data.setData("text/html", "<p>pasted <iframe src=/own></iframe></p>"); let said;
    box.addEventListener("paste", event => { const page = new DOMParser().parseFromString(event.clipboardData.getData("text/html"), "text/html"); said = page.body.innerHTML; event.preventDefault(); });
    box.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, cancelable: true})); return said; },
  "editor-purify": () => { const page = new DOMParser().parseFromString('<p onclick=x()>a<iframe src="https://film.example/x"></iframe><script>1<\/script></p>', "text/html"), seen = [];
    const walk = page.createNodeIterator(page.body, NodeFilter.SHOW_ELEMENT); for (let one; one = walk.nextNode();) { seen.push(one.localName); if (/iframe|script/.test(one.localName)) one.remove(); else one.removeAttribute("onclick"); }
    return seen + page.body.innerHTML; },
  "code-editor-worker": async () => { const one = new Worker(URL.createObjectURL(new Blob([`importScripts("${location.origin}/lib-worker.js"); onmessage = e => postMessage(e.data + self.fromLib)`], {type: "text/javascript"})));
    one.postMessage(1); const {data} = await heard(one, "message"); one.terminate(); return data; },
  "i18n-switch": async () => { const words = await (await fetch("/words.json")).json(); const box = markup("<p data-i18n=cart></p>"); document.documentElement.lang = "de"; box.firstChild.textContent = words[document.documentElement.lang].cart;
    document.documentElement.lang = "en"; return box.textContent + new Intl.NumberFormat("de", {style: "currency", currency: "EUR"}).format(3.5); },
  "i18n-alternate-links": () => { for (const lang of ["de", "fr"]) document.head.append(make("link", {rel: "alternate", hreflang: lang, href: `/${lang}/`})); const all = [...document.querySelectorAll("link[hreflang]")]; const said = all.map(one => one.outerHTML); all.forEach(one => one.remove()); return said; },
  "meta-in-a-router": () => { const seen = []; for (const [name, content] of [["description", "x; url=/y"], ["robots", "noindex"], ["og:image", "https://film.example/a.png"]]) { const one = document.createElement("meta"); one.setAttribute(name.startsWith("og") ? "property" : "name", name); one.setAttribute("content", content); document.head.append(one); seen.push(one.outerHTML); one.remove(); } return seen; },
  "head-of-a-foreign-canonical": () => { const one = document.createElement("link"); one.rel = "canonical"; one.href = "https://film.example/x"; document.head.append(one); const said = one.outerHTML; one.remove(); return said; },
  "web-font-own-subdomain": async () => { const face = new FontFace("Own", `url(${location.origin.replace("//shop", "//cdn.shop")}/font.woff2)`); await face.load().catch(error => error.name); return face.status; },
  "picture-own-subdomain": async () => { const one = put(make("img")), cdn = location.origin.replace("//shop", "//cdn.shop"); one.srcset = `${cdn}/i/1.svg 1x, ${cdn}/i/1.svg?2 2x`; one.sizes = "100vw"; await heard(one, "load"); return one.naturalWidth + one.currentSrc.slice(-8); },
  "sheet-own-subdomain": async () => { const one = make("link", {rel: "stylesheet", href: `${location.origin.replace("//shop", "//cdn.shop")}/shop.css`}); document.head.append(one); await heard(one, "load"); one.remove(); return "loaded"; },
  "preconnect-own-subdomain": () => { const cdn = location.origin.replace("//shop", "//cdn.shop"); return ["preconnect", "dns-prefetch", "preload", "modulepreload"].map(rel => { const one = make("link", {rel, href: `${cdn}/lib.js`, as: "script", crossOrigin: ""}); document.head.append(one); const said = one.outerHTML; one.remove(); return said; }); },
  "module-own-subdomain": async () => (await import(`${location.origin.replace("//shop", "//cdn.shop")}/module.js`)).count,
  "media-source": async () => { const one = put(make("video", {muted: true})), media = new MediaSource(); one.src = URL.createObjectURL(media); await heard(media, "sourceopen");
    const part = await (await fetch(`${location.origin.replace("//shop", "//cdn.shop")}/cart`)).arrayBuffer(); return [media.readyState, part.byteLength, MediaSource.isTypeSupported('video/webm; codecs="vp8"'), one.src.slice(0, 9)]; },
  "what-was-refused": () => refused,
});
