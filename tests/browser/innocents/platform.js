// What scripts expect of the browser: functions that look native, patches that are seen, errors as they are.
const native = one => /\[native code\]/.test(Function.prototype.toString.call(one));
const told = job => { try { return String(job()); } catch (error) { return `${error.constructor.name}: ${error.message}`; } };
shop({
  "patch-set-attribute": () => {
    const old = Element.prototype.setAttribute, seen = [];
    Element.prototype.setAttribute = function (name, value) { seen.push(`${this.localName}.${name}`); return old.call(this, name, value); };
    for (const name of ["p", "iframe", "script", "link", "meta"]) document.createElement(name).setAttribute("data-a", "1");
    Element.prototype.setAttribute = old;
    return seen;
  },
  "patch-append-child": () => {
    const old = Node.prototype.appendChild, seen = [];
    Node.prototype.appendChild = function (one) { seen.push(this.localName); return old.call(this, one); };
    for (const name of ["p", "script", "iframe"]) document.createElement(name).appendChild(document.createTextNode(""));
    Node.prototype.appendChild = old;
    return seen;
  },
  "patch-own-prototype": () => {
    const old = HTMLScriptElement.prototype.setAttribute, seen = [];
    const had = Object.hasOwn(HTMLScriptElement.prototype, "setAttribute");
    HTMLScriptElement.prototype.setAttribute = function (...all) { seen.push(all[0]); return old.apply(this, all); };
    const one = make("script", {}); one.setAttribute("data-a", "1");
    if (had) HTMLScriptElement.prototype.setAttribute = old; else delete HTMLScriptElement.prototype.setAttribute;
    return seen + one.outerHTML;
  },
  "patch-script-src": () => {
    const proto = HTMLScriptElement.prototype, old = Object.getOwnPropertyDescriptor(proto, "src"), seen = [];
    Object.defineProperty(proto, "src", {...old, set(value) { seen.push(value); old.set.call(this, value); }});
    const one = make("script", {src: "/lib.js"});
    Object.defineProperty(proto, "src", old);
    return seen + one.getAttribute("src");
  },
  "patch-inner-html": () => {
    const old = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
    Object.defineProperty(Element.prototype, "innerHTML", {...old, set(value) { old.set.call(this, `[${value}]`); }});
    const said = markup("x").innerHTML;
    Object.defineProperty(Element.prototype, "innerHTML", old);
    return said;
  },
  "patch-cookie": () => {
    const old = Object.getOwnPropertyDescriptor(Document.prototype, "cookie"), seen = [];
    Object.defineProperty(document, "cookie", {configurable: true, get: () => old.get.call(document), set: value => {
      seen.push(value); old.set.call(document, value); }});
    document.cookie = "patched=1";
    const said = document.cookie.includes("patched=1");
    delete document.cookie;
    return seen + said;
  },
  "patch-open": () => {
    const old = window.open;
    let seen;
    window.open = url => { seen = url; };
    open("/x");
    window.open = old;
    return seen + old.name + old.length;
  },
  "patch-write": () => {
    const old = document.write, seen = [];
    document.write = text => seen.push(text);
    document.write("<p>x");
    delete document.write;
    return seen + (document.write === old);
  },
  "descriptors": () => [[HTMLIFrameElement, "src"], [HTMLIFrameElement, "srcdoc"], [HTMLIFrameElement, "contentWindow"],
    [HTMLScriptElement, "src"], [HTMLScriptElement, "text"], [HTMLLinkElement, "href"], [HTMLLinkElement, "rel"],
    [HTMLMetaElement, "content"], [Element, "innerHTML"], [Element, "outerHTML"], [Document, "cookie"],
    [ShadowRoot, "innerHTML"]].map(([from, name]) => {
      const one = Object.getOwnPropertyDescriptor(from.prototype, name);
      return [name, one.enumerable, one.configurable, one.get && one.get.name, one.set && one.set.name, one.set && native(one.set)].join();
    }),
  "methods": () => [[Element, "insertAdjacentHTML"], [Element, "attachShadow"], [Document, "write"], [Document, "writeln"],
    [Range, "createContextualFragment"], [DOMParser, "parseFromString"], [HTMLFormElement, "submit"], [Storage, "setItem"],
    [RTCPeerConnection, "setLocalDescription"], [CredentialsContainer, "get"]].map(([from, name]) => {
      const one = Object.getOwnPropertyDescriptor(from.prototype, name);
      return [name, one.writable, one.enumerable, one.configurable, one.value.name, one.value.length, native(one.value)].join();
    }),
  "native-as-lodash-tests": () => {
    const shape = RegExp("^" + Function.prototype.toString.call(Object.prototype.hasOwnProperty)
      .replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/hasOwnProperty/, ".*?") + "$");
    return [open, document.write, Element.prototype.insertAdjacentHTML].map(one => shape.test(Function.prototype.toString.call(one)));
  },
  "keys-of-an-element": () => { const one = make("script"); one.mine = 1; return Object.keys(one); },
  "names-in-an-element": () => ["src", "text", "setAttribute", "appendChild"].map(name => name in make("script")),
  "same-order-in-for-in": () => { const seen = []; for (const name in make("link")) seen.push(name); return seen.includes("href"); },
  "globals": () => ["cg", "guard", "x", "v", "H", "q", "S", "A"].filter(name => name in window),
  "instance-of": () => [make("iframe") instanceof HTMLIFrameElement, Object.prototype.toString.call(make("iframe"))].join(),
  "new-image": () => new Image(3, 4).outerHTML,
  "errors-append": () => told(() => document.body.appendChild(1)),
  "errors-frame-append": () => told(() => make("iframe").appendChild(1)),
  "errors-attribute": () => told(() => make("iframe").setAttribute("a b>", 2)),
  "errors-arguments": () => [told(() => make("script").setAttribute("a")), told(() => document.body.insertAdjacentHTML("x", "y")),
    told(() => document.body.insertAdjacentHTML("beforeend")), told(() => new DOMParser().parseFromString("x", "y")),
    told(() => localStorage.setItem("a")), told(() => document.write.call(1, "x"))],
  "errors-this": () => told(() => Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, "src").set.call(document.body, "/x")),
  "errors-storage-full": () => told(() => localStorage.setItem("big", "x".repeat(6e6))).replace(/'big'.*/, ""),
  "error-line": () => { try { document.body.innerHTML(); } catch (error) { return error.name; } },
  "url-objects": () => [make("iframe", {src: new URL("/own", location)}).getAttribute("src").slice(-4),
    make("script", {src: new URL("/lib.js", location)}).src.slice(-7)],
  "null-and-undefined": () => { const box = put(make("div")); box.innerHTML = undefined; const said = box.innerHTML;
    box.innerHTML = null; return said + box.innerHTML + box.outerHTML; },
  "numbers": () => { const box = put(make("div")); box.innerHTML = 5; box.innerHTML += 6; return box.innerHTML; },
  "svg-inner": () => {
    const svg = put(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    svg.innerHTML = '<circle r="1"/><style>circle{fill:red}</style><script>1<\/script><a href="https://film.example"/>';
    return svg.innerHTML;
  },
  "table-row-inner": () => { const row = make("tr"); row.innerHTML = "<td>1<td>2"; return row.outerHTML; },
  "select-inner": () => { const one = put(make("select")); one.innerHTML = "<option>a<option selected>b"; return one.value; },
  "textarea-inner": () => { const one = put(make("textarea")); one.innerHTML = "&lt;iframe src=https://film.example&gt;"; return one.value; },
  "shown-code": () => { const one = put(make("pre")); one.textContent = `<iframe src="${away}"></iframe><meta http-equiv=refresh>`;
    return one.innerHTML; },
  "text-like-tags": () => markup("1 &lt; 2, a<b, <menu>m</menu><section>s</section><main2>x</main2><metal>y</metal><linked>z</linked>"
    + "<basement>b</basement><scriptorium>c</scriptorium><ifs>d</ifs>").innerHTML,
  "comment-with-tags": () => markup(`<!-- <link rel=icon href=/x> --><p>x`).innerHTML,
  "big-markup": () => markup("<p><link rel=icon href=/x>y</p>".repeat(500)).querySelectorAll("link").length,
  "outer-html-replaces": () => { const box = markup("<p>a"); box.firstChild.outerHTML = "<b>c</b>d"; return box.innerHTML; },
  "adjacent-all-places": () => { const box = markup("<p>x</p>"), one = box.firstChild;
    for (const place of ["beforebegin", "afterbegin", "beforeend", "afterend"]) one.insertAdjacentHTML(place, `<i>${place[5]}</i>`);
    return box.innerHTML; },
  "range": () => { const range = document.createRange(); range.selectNodeContents(markup("<b>1</b>2"));
    return range.cloneContents().textContent + String(range); },
  "web-crypto": async () => (await crypto.subtle.digest("SHA-256", new Uint8Array([1]))).byteLength,
  "structured-clone": () => structuredClone({a: new Map([[1, away]])}).a.get(1),
  "broadcast": async () => { const one = new BroadcastChannel("cart"), other = new BroadcastChannel("cart");
    const said = heard(other, "message"); one.postMessage(3); const {data} = await said; one.close(); other.close(); return data; },
  "event-source": async () => { const one = new EventSource("/events"), said = await heard(one, "message"); one.close(); return said.data; },
  "web-socket": async () => { const one = new WebSocket(location.origin.replace("http", "ws") + "/ws"); await heard(one, "open");
    one.send("hi"); const {data} = await heard(one, "message"); one.close(); return data; },
  "indexed-db": async () => { const ask = indexedDB.open("shop", 1);
    ask.onupgradeneeded = () => ask.result.createObjectStore("cart", {keyPath: "id"});
    await heard(ask, "success"); const {name} = ask.result; ask.result.close(); return name; },
  "caches": async () => { const one = await caches.open("shop"); await one.add("/lib.js"); return (await one.keys()).length; },
  "passkey-options": () => told(() => typeof navigator.credentials.get + PublicKeyCredential.prototype.constructor.name),
  "passkey-own": async () => navigator.credentials.get({signal: AbortSignal.abort(), publicKey: {challenge: new Uint8Array(8),
    rpId: location.hostname}}).then(() => "there", error => error.name),
  "password-none": async () => [await navigator.credentials.preventSilentAccess()].length,
  "geolocation": () => typeof navigator.geolocation.getCurrentPosition,
  "canvas": () => make("canvas", {width: 2, height: 2}).toDataURL().slice(0, 14),
  "audio": () => make("audio", {src: "/a.mp3", preload: "none"}).outerHTML,
  "video": () => make("video", {poster: "/i/1.svg", muted: true, playsInline: true}).outerHTML,
  "peer-without-servers": async () => { const one = new RTCPeerConnection(); one.createDataChannel("x");
    await one.setLocalDescription(); const said = one.localDescription.type; one.close(); return said; },
  "peer-own-server": async () => { const one = new RTCPeerConnection({iceServers: [{urls: ["stun:" + location.hostname]}]});
    await one.setLocalDescription(await one.createOffer({offerToReceiveAudio: true}));
    const said = one.getConfiguration().iceServers[0].urls[0]; one.close(); return said; },
  "navigation-api": async () => { const before = location.href; await navigation.navigate("#frag", {history: "replace"}).finished;
    const said = location.hash; history.replaceState(null, "", before); return said; },
  "view-transition": async () => { const one = document.startViewTransition?.(() => markup("<p>new"));
    await one?.updateCallbackDone; return document.getElementById("stage").innerHTML; },
  "trusted-types": () => { const one = trustedTypes.createPolicy("shop" + Math.random(), {createHTML: text => text});
    const box = put(make("div")); box.innerHTML = one.createHTML("<b>safe</b><link rel=icon href=/x>"); return box.innerHTML; },
  "report-observer": () => typeof new ReportingObserver(() => 0).observe,
  "performance": () => performance.getEntriesByType("navigation").length,
  "current-script": () => { script("window.current = document.currentScript.textContent.length"); return window.current; },
  "document-scripts": () => [...document.scripts].filter(one => one.hasAttribute("data-cg")).length,
  "ready-state": () => document.readyState,
  "add-back-compat": () => { const one = markup("<a name=top></a><form name=f1></form>"); return [document.forms.f1 === one.lastChild,
    document.anchors.length]; },
});
