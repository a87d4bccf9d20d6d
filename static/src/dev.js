// The panel of dev mode, which lists what is held on this page and why, and the settings that change it. Only in dev mode.
(() => {
  const page = document;
  const base = page.currentScript.src.replace(/dev\.js.*$/, ""); // the address of our own pages
  const make = (name, text, parent, attributes) => {
    const element = page.createElement(name);
    if (text) element.textContent = text;
    for (const key in attributes || {}) element.setAttribute(key, attributes[key]);
    if (parent) parent.append(element);
    return element;
  };

  // ---- What is held or refused

  const refused = new Map(); // host -> the directive that refused it
  const held = new Map(); // host -> its held elements
  const asked = new Map(); // host -> the first path that was requested, and the kinds of all requests
  // Note an address that the page requests, and return its host.
  const noteAddress = (text, kind) => {
    let url;
    try { url = new URL(text, location.href); } catch { return ""; }
    const [path, kinds] = asked.get(url.host) || [url.pathname.slice(0, 100).replaceAll(",", "%2C"), new Set()];
    asked.set(url.host, [path, kinds.add(kind)]);
    return url.host;
  };
  const noteRefused = (url, directive) => {
    const host = noteAddress(url, directive.replace(/-src.*/, ""));
    if (host && host !== location.host && !refused.has(host)) {
      refused.set(host, directive);
      askSoon();
    }
  };
  // Find the held elements of the page; return whether there are more than before.
  const findHeld = () => {
    const before = held.size;
    for (const element of page.querySelectorAll("*")) {
      if (element.localName === "cg-part" || element.localName === "cg-dev") continue;
      for (const { name, value } of element.attributes) {
        if (!name.startsWith("data-cg-") || name === "data-cg-type") continue;
        const address = value.match(/(https?:)?\/\/[^\s"',)]+/);
        const host = address ? noteAddress(address[0], name === "data-cg-style" ? "style" : element.localName) : "";
        const tag = "<" + element.localName + " " + name.slice(8) + ">";
        if (host) held.set(host, (held.get(host) || new Set()).add(tag));
      }
    }
    return held.size !== before;
  };

  // ---- The panel, in a shadow tree, so that the page's style does not apply to it

  const part = page.createElement("cg-dev"), root = part.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync([
    ":host{all:initial}*{box-sizing:border-box}",
    "details{position:fixed;inset:12px 12px auto auto;z-index:2147483646;max-inline-size:min(460px,calc(100vw - 24px));",
    "font:13px/1.5 system-ui,sans-serif;color:#e8eaf0;background:#191c24;border:1px solid #3b4252;border-radius:10px;",
    "box-shadow:0 8px 28px #0007}",
    "summary{padding:8px 14px;cursor:pointer;font-weight:600;border-radius:10px}",
    "summary:focus-visible,button:focus-visible{outline:3px solid #8ab4ff;outline-offset:1px}",
    ".in{max-block-size:min(60vh,520px);overflow:auto;padding:0 14px 12px}",
    "h2{margin:12px 0 4px;font-size:12px;color:#9aa4b8;font-weight:600}",
    "ul{margin:0;padding:0;list-style:none}",
    "li{padding:6px 0;border-block-start:1px solid #2c323e;overflow-wrap:anywhere}",
    "small{display:block;color:#9aa4b8}b{font-weight:600}p{margin:4px 0;color:#9aa4b8}",
    "button{margin:2px 6px 2px 0;padding:3px 10px;font:inherit;color:inherit;background:#2b3140;",
    "border:1px solid #465067;border-radius:6px;cursor:pointer}",
    "button[aria-pressed=true]{background:#2f5fd0;border-color:#5b86ea}",
    "pre{margin:4px 0;padding:6px 8px;background:#11141a;border-radius:6px;overflow:auto;font:12px ui-monospace,monospace}",
  ].join(""));
  root.adoptedStyleSheets = [sheet];
  const box = make("details", "", root), head = make("summary", "cookieguard", box), body = make("div", "", box, { class: "in" });
  box.open = sessionStorage.getItem("cg-dev") === "1";
  box.addEventListener("toggle", () => {
    try { sessionStorage.setItem("cg-dev", box.open ? "1" : ""); } catch { /* storage is off */ }
  });

  const post = (path, choice) => fetch(base + path, {
    method: "POST", headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ choice }),
  }).then(() => location.reload());
  const addCopyButton = (name, lines, item) => {
    const button = make("button", name, item, { type: "button" });
    const say = text => () => { button.textContent = text; };
    button.addEventListener("click", () =>
      navigator.clipboard.writeText(lines).then(say("copied"), say("select the lines above")));
  };

  // ---- The server's facts about the hosts

  let facts = { state: "", hosts: {}, cookies: [] }, timer = 0;
  const askSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const known = [...new Set([...held.keys(), ...refused.keys()])].slice(0, 100);
      const hosts = known.map(host => [...asked.get(host)[1], host + asked.get(host)[0]].join(" ")).join(",");
      fetch(base + "dev?hosts=" + encodeURIComponent(hosts))
        .then(answer => answer.json())
        .then(answer => { facts = answer; draw(); })
        .catch(() => draw());
    }, 150);
  };
  const factsOf = host => facts.hosts[host.replace(/:\d+$/, "")];

  const list = (title, entries, empty) => {
    make("h2", title + " (" + entries.length + ")", body);
    if (!entries.length) { make("p", empty, body); return; }
    const items = make("ul", "", body);
    for (const [name, small, found] of entries) {
      const item = make("li", "", items);
      make("b", name, item);
      if (found) make("span", " " + (found.vendor || "nobody declared it") + (found.purpose ? ", " + found.purpose : ""), item);
      make("small", small, item);
      if (found && found.lines) {
        make("small", found.words, item);
        const own = /first_party_hosts = \[.*?\]/.exec(found.words);
        if (own) addCopyButton("copy it as the shop's own", own[0], item);
        make("pre", found.lines, item);
        addCopyButton("copy the TOML", found.lines, item);
      }
    }
  };
  const CHOICES = [["undecided", "dev", "forget"], ["refused", "consent", "reject"], ["accepted", "consent", "accept"]];
  const draw = () => {
    head.textContent = "cookieguard: " + (facts.state || "?") + ", " + held.size + " held, " + refused.size + " refused";
    body.textContent = "";
    make("h2", "State of consent", body);
    for (const [state, path, choice] of CHOICES) {
      const button = make("button", state, body, { type: "button", "aria-pressed": String(facts.state === state) });
      button.addEventListener("click", () => post(path, choice));
    }
    if (facts.granted) make("p", "granted: " + facts.granted.join(", "), body);
    const heldRows = [...held].map(([host, tags]) => [host, [...tags].slice(0, 4).join(" "), factsOf(host)]);
    list("Held elements", heldRows, "Nothing is held on this page.");
    const refusedRows = [...refused].map(([host, directive]) => [host, directive, factsOf(host)]);
    list("Refused requests", refusedRows, "No script asked for anybody held.");
    const cookieRows = facts.cookies.map(name => [name, "kept from the shop's app"]);
    list("Hidden cookies", cookieRows, "No cookie is hidden from the shop.");
  };

  page.addEventListener("securitypolicyviolation", event => {
    if (event.disposition === "enforce") noteRefused(event.blockedURI, event.effectiveDirective);
  });
  try {
    const observer = new ReportingObserver(reports => reports.forEach(({ body: report }) => {
      if (report.disposition === "enforce") noteRefused(report.blockedURL || "", report.effectiveDirective);
    }), { types: ["csp-violation"], buffered: true });
    observer.observe();
  } catch { /* this browser reports only what is refused from now on */ }
  findHeld();
  draw();
  askSoon();
  new MutationObserver(() => { if (findHeld()) askSoon(); }).observe(page.documentElement, { childList: true, subtree: true });
  page.documentElement.append(part);
})();
