// Frames, windows, prints, downloads, forms aimed at frames: own ones, and those that lead nowhere.
const frame = said => make("iframe", said);
const ready = async one => { const seen = heard(one, "load"); put(one); await seen; return one; };
shop({
  "own": async () => { const one = await ready(frame({src: "/own"})); return one.contentDocument.title + one.outerHTML; },
  "own-absolute": async () => (await ready(frame({src: origin + "/own"}))).contentWindow.location.pathname,
  "own-port-less": () => frame({src: "//" + location.host + "/own"}).src.slice(-4),
  "own-changed": async () => {
    const one = await ready(frame({src: "/own"})), again = heard(one, "load");
    one.src = "/own?2";
    await again;
    return one.contentWindow.location.search;
  },
  "own-location": async () => {
    const one = await ready(frame({src: "/own"})), again = heard(one, "load");
    one.contentWindow.location.replace("/own?3");
    await again;
    return one.contentWindow.location.search + one.getAttribute("src");
  },
  "own-load-handler-attribute": async () => {
    const said = new Promise(done => { window.framed = one => done(one.contentDocument.title); });
    markup('<iframe src="/own" onload="framed(this)"></iframe>');
    return said;
  },
  "own-load-count": async () => {
    let count = 0;
    const one = frame({src: "/own"});
    one.onload = () => count++;
    put(one);
    await until(() => count);
    await later(30);
    return count;
  },
  "blank-load-count": async () => {
    let count = 0;
    const one = frame();
    one.addEventListener("load", () => count++);
    put(one);
    await later(20);
    return count;
  },
  "srcdoc-load-count": async () => {
    let count = 0;
    const one = frame({srcdoc: "<p>x"});
    one.addEventListener("load", () => count++);
    put(one);
    await until(() => count);
    await later(30);
    return count + one.contentDocument.body.innerHTML;
  },
  "srcdoc-attribute": async () => {
    const one = frame();
    one.setAttribute("srcdoc", "<p id=x>own &amp; text");
    await ready(one);
    return one.contentDocument.body.innerHTML + one.getAttribute("srcdoc");
  },
  "srcdoc-then-src": async () => {
    const one = frame({srcdoc: "<p>x", src: "/own"});
    await ready(one);
    const again = heard(one, "load");
    one.removeAttribute("srcdoc");
    await again;
    return one.contentDocument.title + one.outerHTML;
  },
  "srcdoc-own-names": async () => {
    const said = new Promise(done => { window.named = one => done(one.contentWindow.shown()); });
    markup(`<iframe onload="named(this)" srcdoc="<p id=m>x</p><script>
      var submenu = document.getElementById('m'), contentDiv = submenu, submitted = false, contentWidth = 7;
      function shown() { return submenu.textContent + contentDiv.id + submitted + contentWidth; }<\/script>"></iframe>`);
    return said;
  },
  "srcdoc-own-script": async () => {
    await ready(frame({srcdoc: "<script>parent.risen5 = document.readyState<\/script><script src=/lib.js><\/script>"}));
    return window.risen5;
  },
  "srcdoc-empty": async () => (await ready(frame({srcdoc: ""}))).outerHTML,
  "srcdoc-markup": async () => {
    markup('<iframe srcdoc="<p>a</p><script>parent.risen6 = 6<\/script>"></iframe>');
    await until(() => window.risen6);
    return String(window.risen6);
  },
  "srcdoc-link": async () => {
    const one = await ready(frame({srcdoc: `<a href="${away}/x">x</a><link rel=icon href=data:,>`}));
    return one.contentDocument.body.innerHTML + one.srcdoc;
  },
  "sandboxed": async () => {
    const one = frame({srcdoc: "<script>parent.postMessage('in', '*')<\/script>"});
    one.sandbox.add("allow-scripts");
    const said = heard(window, "message");
    put(one);
    return (await said).data + one.outerHTML + (await said).origin;
  },
  "written": () => {
    const one = put(frame()), inner = one.contentWindow.document;
    inner.open(); inner.write("<title>print</title><p>Invoice<script>parent.written = 1<\/script>"); inner.close();
    return inner.title + inner.body.innerHTML.length + window.written;
  },
  "written-in-parts": () => {
    const one = put(frame()), inner = one.contentDocument;
    inner.open(); inner.write("<p>a", "<b>"); inner.writeln("c</b"); inner.write(">d"); inner.close();
    return inner.body.innerHTML;
  },
  "print": () => {
    const one = put(frame({hidden: true}));
    one.contentDocument.body.innerHTML = "<h1>Invoice</h1>";
    let printed = 0;
    one.contentWindow.print = () => printed++;
    one.contentWindow.focus(); one.contentWindow.print();
    return printed + one.contentDocument.body.innerHTML;
  },
  "clean-globals": () => typeof put(frame()).contentWindow.Array + (put(frame()).contentWindow.Array === Array),
  "clean-function": () => put(frame()).contentWindow.Function.prototype.toString.call(setTimeout).includes("native"),
  "measure-in-a-frame": () => {
    const one = put(frame({style: "width:320px"}));
    return one.contentWindow.innerWidth;
  },
  "blob-page": async () => {
    const url = URL.createObjectURL(new Blob(["<title>b</title><p>text"], {type: "text/html"}));
    const one = await ready(frame({src: url}));
    return one.contentDocument.title + (one.src == url);
  },
  "blob-page-script": async () => {
    const url = URL.createObjectURL(new Blob(["<script>parent.risen7 = 7<\/script>"], {type: "text/html;charset=utf-8"}));
    await ready(frame({src: url}));
    return window.risen7;
  },
  "blob-pdf": () => URL.createObjectURL(new Blob(["%PDF"], {type: "application/pdf"})).startsWith("blob:"),
  "blob-sheet": async () => {
    const bytes = Uint8Array.from({length: 256}, (_, n) => n);
    const type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    const url = URL.createObjectURL(new Blob([bytes], {type})), got = await (await fetch(url)).arrayBuffer();
    return [got.byteLength, new Uint8Array(got)[200]];
  },
  "blob-latin": async () => {
    const url = URL.createObjectURL(new Blob([new Uint8Array([60, 112, 62, 228])], {type: "text/html;charset=iso-8859-1"}));
    return (await ready(frame({src: url}))).contentDocument.body.textContent;
  },
  "blob-xml-utf16": async () => {
    const bytes = new Uint8Array([255, 254, 60, 0, 97, 0, 47, 0, 62, 0]);
    const url = URL.createObjectURL(new Blob([bytes], {type: "application/xml"}));
    return [...new Uint8Array(await (await fetch(url)).arrayBuffer())];
  },
  "blob-svg": async () => {
    const text = '<svg xmlns="http://www.w3.org/2000/svg" width="3" height="3"><a href="https://film.example"/></svg>';
    const one = new Image();
    one.src = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"}));
    await one.decode();
    return one.width;
  },
  "blob-revoked": async () => {
    const url = URL.createObjectURL(new Blob(["<p>x"], {type: "text/html"}));
    URL.revokeObjectURL(url);
    return fetch(url).then(() => "there", () => "gone");
  },
  "blob-download": async () => {
    const link = make("a", {download: "a.html", href: URL.createObjectURL(new Blob(["<p>\u00e4"], {type: "text/html"}))});
    return (await (await fetch(link.href)).blob()).size + link.outerHTML.length * 0;
  },
  "blob-csv": async () => (await fetch(URL.createObjectURL(new Blob(["a;b\n1;2"], {type: "text/csv"})))).text(),
  "blob-keeps-type": async () => (await (await fetch(URL.createObjectURL(
    new Blob(["<a/>"], {type: "text/xml;charset=utf-8"})))).blob()).type,
  "object-url-of-nothing": () => { try { return URL.createObjectURL(null); } catch (error) { return error.name; } },
  "object-url-of-media": () => URL.createObjectURL(new MediaSource()).startsWith("blob:"),
  "data-page": async () => { const one = await ready(frame({src: "data:text/html,<p>x"})); return one.src; },
  "javascript-page": async () => {
    const one = put(frame({src: "javascript:'<p>made</p>'"}));
    await until(() => one.contentDocument.body.innerHTML);
    return one.contentDocument.body.innerHTML;
  },
  "javascript-void": () => put(frame({src: "javascript:void(0)"})).outerHTML,
  "about-blank": async () => (await ready(frame({src: "about:blank"}))).contentDocument.body.innerHTML + frames.length,
  "frame-clone": () => {
    const one = frame({src: "/own", title: "a"});
    return one.cloneNode().outerHTML + one.isEqualNode(one.cloneNode());
  },
  "frame-moved": async () => {
    const one = await ready(frame({src: "/own"})), again = heard(one, "load");
    put(make("div")).append(one);
    await again;
    return one.contentDocument.title;
  },
  "frame-replaced": () => { const one = put(frame()); one.replaceWith(make("p")); return document.querySelectorAll("iframe").length; },
  "frame-attributes": () => {
    const one = frame();
    one.setAttribute("allow", "payment"); one.setAttribute("loading", "lazy"); one.setAttributeNS(null, "x", "y");
    one.width = "100%"; one.frameBorder = "0"; one.allowFullscreen = true; one.referrerPolicy = "origin"; one.name = "n";
    one.removeAttribute("x"); one.scrolling = "no"; one.dataset.src = away; one.style.border = "0";
    return one.outerHTML;
  },
  "frame-attribute-node": () => {
    const one = frame(), node = document.createAttribute("title");
    node.value = "a";
    one.setAttributeNode(node);
    return [one.getAttributeNode("title") === node, node.ownerElement === one, one.outerHTML];
  },
  "frame-named-item": () => {
    const one = frame({title: "a"}), gone = one.attributes.removeNamedItem("title");
    one.attributes.setNamedItem(gone);
    return one.outerHTML;
  },
  "frame-returns": () => {
    const one = frame();
    return [one.setAttribute("a", 1), one.toggleAttribute("b"), one.removeAttribute("b"), one.append("x"),
      String(one.appendChild(make("b"))), one.src = "/own", one.hasAttribute("a")].map(String);
  },
  "frame-events": () => {
    const one = frame();
    let said = 0;
    one.addEventListener("x", () => said++); one.dispatchEvent(new Event("x"));
    return said;
  },
  "window-indexed": () => { const one = put(frame({name: "slot"})); return [frames.slot === one.contentWindow, window.slot === window[0],
    one.contentWindow.parent === window, one.contentWindow.name, frames.length]; },
  "window-named-like-a-variable": () => { window.share = {a: 1}; return String(window.share.a); },
  "message-both-ways": async () => {
    const one = frame({srcdoc: "<script>onmessage = e => e.source.postMessage(e.data + 1, '*')<\/script>"});
    await ready(one);
    const said = heard(window, "message");
    one.contentWindow.postMessage(1, "*");
    return [(await said).data, (await said).source === one.contentWindow];
  },
  "message-channel": async () => {
    const one = await ready(frame({srcdoc: "<script>onmessage = e => e.ports[0].postMessage('ok')<\/script>"}));
    const pipe = new MessageChannel(), said = new Promise(done => { pipe.port1.onmessage = done; });
    one.contentWindow.postMessage(0, "*", [pipe.port2]);
    return (await said).data;
  },
  "form-into-a-frame": async () => {
    const one = put(frame({name: "t1"})), form = put(make("form", {action: "/own", method: "post", target: "t1"}));
    const said = heard(one, "load");
    form.submit();
    await said;
    return one.contentDocument.title;
  },
  "form-into-a-frame-by-click": async () => {
    const box = markup('<iframe name=t2></iframe><form action="/own?by" target=t2><input name=action value=1><button>ok</button></form>');
    await later(50);
    const said = heard(box.firstChild, "load");
    box.querySelector("button").click();
    await said;
    return box.firstChild.contentWindow.location.search;
  },
  "form-submit-clobbered": async () => {
    const box = markup('<iframe name=t3></iframe><form action="/own?clobbered" target=t3><input name=action value=1>'
      + '<input name=submit value=2></form>');
    await later(50);
    const said = heard(box.firstChild, "load");
    HTMLFormElement.prototype.submit.call(box.lastChild);
    await said;
    return box.firstChild.contentWindow.location.search;
  },
  "form-submit-returns": () => "" + [put(make("form", {action: "javascript:void 0", target: "_self"})).submit()].length,
  "open-into-a-frame": async () => {
    const one = put(frame({name: "t4"})), said = heard(one, "load"), got = open("/own", "t4");
    await said;
    return [got === one.contentWindow, one.contentDocument.title];
  },
  "open-popup": async () => {
    const one = open("/own", "help", "width=300,height=200");
    await until(() => one.document.title);
    const said = one.document.title + (one.opener === window) + one.name;
    one.close();
    return said;
  },
  "open-blank-and-write": () => {
    const one = open("", "_blank", "width=300");
    one.document.write("<title>w</title><p>receipt"); one.document.close();
    const said = one.document.title + one.document.body.innerHTML;
    one.close();
    return said;
  },
  "open-noopener": () => String(open("/own", "_blank", "noopener")),
  "open-then-location": async () => {
    const one = open("about:blank", "later");
    one.location = "/own?later";
    await until(() => one.location.search);
    const said = one.location.search;
    one.close();
    return said;
  },
  "share-link": () => {
    const url = `https://social.example/share?u=${encodeURIComponent(location.href)}`;
    return markup(`<a target=_blank rel="noopener nofollow" href="${url}" onclick="return !1">share</a>`).firstChild.target;
  },
  "share-links-of-kinds": () => ["mailto:a@b.example?subject=x", "tel:+49123", "sms:1", "whatsapp://send?text=x", "intent://x"].map(
    href => markup(`<a href="${href}">x</a>`).firstChild.protocol),
  "object-own": () => markup('<object data="/own" type="text/html"></object>').innerHTML,
  "embed-own": () => make("embed", {src: "/own", type: "text/html"}).outerHTML,
  "frame-in-a-frame": async () => {
    const one = put(frame()), inner = one.contentDocument.createElement("iframe");
    inner.src = "/own";
    const said = heard(inner, "load");
    one.contentDocument.body.append(inner);
    await said;
    return inner.contentDocument.title + one.contentDocument.body.innerHTML;
  },
  "frame-adopted": async () => {
    const one = put(frame()), other = one.contentDocument.createElement("iframe");
    other.srcdoc = "<p>adopted";
    await ready(other);
    return other.contentDocument.body.innerHTML + (other.ownerDocument === document);
  },
  "frame-parser": () => {
    const found = new DOMParser().parseFromString('<base href="/deep/"><a href=x>y</a><iframe src=/own></iframe>', "text/html");
    return [found.querySelector("a").href.slice(-7), found.querySelector("iframe").outerHTML, found.head.innerHTML];
  },
  "parser-of-a-foreign-page": () => {
    const found = new DOMParser().parseFromString(`<title>t</title><meta charset=utf-8><a href=${away}/a>y</a>`, "text/html");
    return found.title + found.querySelector("a").href;
  },
  "rss": () => {
    const found = new DOMParser().parseFromString(`<rss><item><link>${away}/1</link></item></rss>`, "text/xml");
    return found.querySelector("link").textContent;
  },
  "atom": () => {
    const text = `<feed xmlns="http://www.w3.org/2005/Atom"><link rel="alternate" href="${away}/1"/></feed>`;
    return new XMLSerializer().serializeToString(new DOMParser().parseFromString(text, "application/xml"));
  },
  "editor-preview": async () => {
    const area = put(make("textarea")), one = put(frame());
    area.value = "<b>bold</b>";
    one.contentDocument.body.innerHTML = area.value;
    return one.contentDocument.body.innerHTML;
  },
  "design-mode": () => { const one = put(frame()); one.contentDocument.designMode = "on"; return one.contentDocument.designMode; },
  "exec-command": () => { const box = put(make("div", {contentEditable: true})); box.focus();
    document.execCommand("insertHTML", false, "<b>x</b>"); return box.innerHTML; },
  "created-document": () => {
    const one = document.implementation.createHTMLDocument("t");
    one.body.innerHTML = "<p>x"; one.write("<p>y");
    return one.documentElement.innerHTML;
  },
});
