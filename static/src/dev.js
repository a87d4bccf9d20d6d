// The panel of dev mode: what is held on this page and why, with the lines that change it. Never sent outside dev mode.
(() => {
  const d = document, base = d.currentScript.src.replace(/dev\.js.*$/, "");
  const make = (name, text, parent, attributes) => {
    const one = d.createElement(name);
    if (text) one.textContent = text;
    for (const key in attributes || {}) one.setAttribute(key, attributes[key]);
    if (parent) parent.append(one);
    return one;
  };
  const refused = new Map(), held = new Map();
  const asked = new Map(); // of each host the first path, and all elements
  const take = (text, element) => {
    let url;
    try { url = new URL(text, location.href); } catch { return ""; }
    const [path, elements] = asked.get(url.host) || [url.pathname.slice(0, 100).replaceAll(",", "%2C"), new Set()];
    asked.set(url.host, [path, elements.add(element)]);
    return url.host;
  };
  const refuse = (url, directive) => {
    const host = take(url, directive.replace(/-src.*/, ""));
    if (host && host !== location.host && !refused.has(host)) { refused.set(host, directive); show(); }
  };
  const look = () => {
    const before = held.size;
    for (const one of d.querySelectorAll("*")) {
      if (one.localName === "cg-part" || one.localName === "cg-dev") continue;
      for (const { name, value } of one.attributes) {
        if (!name.startsWith("data-cg-") || name === "data-cg-type") continue;
        const found = value.match(/(https?:)?\/\/[^\s"',)]+/);
        const host = found ? take(found[0], name === "data-cg-style" ? "style" : one.localName) : "";
        if (host) held.set(host, (held.get(host) || new Set()).add("<" + one.localName + " " + name.slice(8) + ">"));
      }
    }
    return held.size !== before;
  };
  // The document's element; the page's own style reaches nothing in its shadow.
  const part = d.createElement("cg-dev"), root = part.attachShadow({ mode: "open" });
  const style = ":host{all:initial}*{box-sizing:border-box}" +
    "details{position:fixed;inset:12px 12px auto auto;z-index:2147483646;max-inline-size:min(460px,calc(100vw - 24px));" +
    "font:13px/1.5 system-ui,sans-serif;color:#e8eaf0;background:#191c24;border:1px solid #3b4252;border-radius:10px;box-shadow:0 8px 28px #0007}" +
    "summary{padding:8px 14px;cursor:pointer;font-weight:600;border-radius:10px}summary:focus-visible,button:focus-visible{outline:3px solid #8ab4ff;outline-offset:1px}" +
    ".in{max-block-size:min(60vh,520px);overflow:auto;padding:0 14px 12px}h2{margin:12px 0 4px;font-size:12px;color:#9aa4b8;font-weight:600}" +
    "ul{margin:0;padding:0;list-style:none}li{padding:6px 0;border-block-start:1px solid #2c323e;overflow-wrap:anywhere}" +
    "small{display:block;color:#9aa4b8}b{font-weight:600}p{margin:4px 0;color:#9aa4b8}" +
    "button{margin:2px 6px 2px 0;padding:3px 10px;font:inherit;color:inherit;background:#2b3140;border:1px solid #465067;border-radius:6px;cursor:pointer}" +
    "button[aria-pressed=true]{background:#2f5fd0;border-color:#5b86ea}pre{margin:4px 0;padding:6px 8px;background:#11141a;border-radius:6px;overflow:auto;font:12px ui-monospace,monospace}";
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [sheet];
  const box = make("details", "", root), head = make("summary", "cookieguard", box), body = make("div", "", box, { class: "in" });
  box.open = sessionStorage.getItem("cg-dev") === "1";
  box.addEventListener("toggle", () => { try { sessionStorage.setItem("cg-dev", box.open ? "1" : ""); } catch { /* storage is off */ } });
  const post = (path, choice) => fetch(base + path, {
    method: "POST", headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ choice }),
  }).then(() => location.reload());
  const copied = (name, lines, item) => {
    const button = make("button", name, item, { type: "button" });
    button.addEventListener("click", () => copy(button, lines));
  };
  const copy = (button, lines) => navigator.clipboard.writeText(lines).then(() => { button.textContent = "copied"; }, () => { button.textContent = "select the lines above"; });
  let waits = 0, told = { state: "", hosts: {}, cookies: [] };
  const ask = () => {
    clearTimeout(waits);
    waits = setTimeout(() => {
      const known = [...new Set([...held.keys(), ...refused.keys()])].slice(0, 100);
      const hosts = known.map((host) => [...asked.get(host)[1], host + asked.get(host)[0]].join(" ")).join(",");
      fetch(base + "dev?hosts=" + encodeURIComponent(hosts)).then((answer) => answer.json()).then((facts) => { told = facts; draw(); }).catch(() => draw());
    }, 150);
  };
  const show = () => ask();
  const list = (title, entries, empty) => {
    make("h2", title + " (" + entries.length + ")", body);
    if (!entries.length) { make("p", empty, body); return; }
    const items = make("ul", "", body);
    for (const [name, small, facts] of entries) {
      const item = make("li", "", items);
      make("b", name, item);
      if (facts) make("span", " " + (facts.vendor || "nobody declared it") + (facts.purpose ? ", " + facts.purpose : ""), item);
      make("small", small, item);
      if (facts && facts.lines) {
        make("small", facts.words, item);
        const own = /first_party_hosts = \[.*?\]/.exec(facts.words);
        if (own) copied("copy it as the shop's own", own[0], item);
        make("pre", facts.lines, item);
        copied("copy the TOML", facts.lines, item);
      }
    }
  };
  const draw = () => {
    head.textContent = "cookieguard: " + (told.state || "?") + ", " + held.size + " held, " + refused.size + " refused";
    body.textContent = "";
    make("h2", "State of consent", body);
    for (const [state, path, choice] of [["undecided", "dev", "forget"], ["refused", "consent", "reject"], ["accepted", "consent", "accept"]]) {
      const button = make("button", state, body, { type: "button", "aria-pressed": String(told.state === state) });
      button.addEventListener("click", () => post(path, choice));
    }
    if (told.granted) make("p", "granted: " + told.granted.join(", "), body);
    list("Held elements", [...held].map(([host, how]) => [host, [...how].slice(0, 4).join(" "), told.hosts[host.replace(/:\d+$/, "")]]), "Nothing is held on this page.");
    list("Refused requests", [...refused].map(([host, how]) => [host, how, told.hosts[host.replace(/:\d+$/, "")]]), "No script asked for anybody held.");
    list("Hidden cookies", told.cookies.map((name) => [name, "kept from the shop's app"]), "No cookie is hidden from the shop.");
  };
  d.addEventListener("securitypolicyviolation", (event) => event.disposition === "enforce" && refuse(event.blockedURI, event.effectiveDirective));
  try {
    new ReportingObserver((reports) => reports.forEach(({ body: b }) => b.disposition === "enforce" && refuse(b.blockedURL || "", b.effectiveDirective)), { types: ["csp-violation"], buffered: true }).observe();
  } catch { /* a browser without it tells of later ones only */ }
  look();
  draw();
  ask();
  new MutationObserver(() => { if (look()) show(); }).observe(d.documentElement, { childList: true, subtree: true });
  d.documentElement.append(part);
})();
