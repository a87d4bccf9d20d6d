// Sends the choice without losing what somebody typed: the page reloads at once, unless a form holds unsaved input.
// Free of the characters that would end a script or break XHTML (no less-than, no ampersand), and of eval and HTML.
{
  // `<img name=body>` hides the document's `body`, not that of its prototype.
  const d = new Proxy(document, { get: (x, y) => (y = Reflect.get(Document.prototype, y, x))?.call ? y.bind(x) : y }), ours = () => d.querySelector("cg-part#cg-p"), part = ours(), box = x => x.getBoundingClientRect(), css = x => getComputedStyle(x);
  let shadow = part.shadowRoot, inert = part.querySelector("template");
  if (shadow) {
    // For what brings the page back from a copy of its markup (Turbo, htmx): no copy has a shadow.
    inert = d.createElement("template");
    shadow.childNodes.forEach(x => inert.content.append(x.cloneNode(true)));
    part.append(inert);
  } else if (inert) {
    // Nobody made a shadow of it: a browser that does not know how, or a script put the markup in.
    shadow = part.attachShadow({ mode: "open" });
    shadow.append(inert.content.cloneNode(true));
  }
  const find = x => (shadow || part).querySelector(x), root = find("#cg"), room = find(".cg-r"), form = find("form"), kept = find(".cg-k");
  let busy, plain, waits, times = 9, used = true;
  // Above whatever lies over the page, however high its z-index; the focus stays where it is.
  const lift = () => {
    if (!root.showPopover) return;
    root.popover = "manual";
    root.autofocus = false;
    try { root.showPopover(); } catch (x) { /* it is shown */ }
    root.autofocus = true;
  };
  // What the page left open is around us, and may be hidden or moved; a form of ours would be none in one of theirs.
  if (part.parentNode != d.body) d.body.append(part);
  lift();
  // By the first letters of a type: those with a state in place of a value. What holds no input has the value it came with.
  const changed = x => {
    if (!used || form.contains(x) || x.disabled) return;
    if (/^(che|rad)/.test(x.type)) return x.checked != x.defaultChecked;
    // A slider or colour without a value attribute reports its own default: that is not input.
    if (/^(ran|col)/.test(x.type)) if (!x.defaultValue) return;
    if (!x.options) return x.value != x.defaultValue;
    const options = [...x.options];
    return x.multiple || options.some(x => x.defaultSelected) ? options.some(x => x.selected != x.defaultSelected) : x.selectedIndex > 0;
  };
  const unsaved = () => [...d.querySelectorAll("input,select,textarea")].some(changed);
  // What scripts put into fields before anybody used the page is no input: Shiny's sliders and dates.
  used = unsaved();
  ["click", "focusin"].forEach(x => addEventListener(x, x => { if (!part.contains(x.target)) used = true; }, true));
  const done = message => {
    // Against location, not against a foreign base element.
    const next = new URL(form.elements.next.value, location);
    if (unsaved()) {
      if (message) find(".cg-k p").textContent = message;
      form.hidden = true;
      kept.hidden = false;
      kept.focus();
    } else if (next + location.hash == location) location.reload();
    else location.assign(next);
  };
  // Every control of the page can be scrolled clear of the banner, whatever carries the page's height; above a bar
  // that the page keeps at the bottom the banner leaves it in view.
  const fit = () => {
    const sheet = part.querySelector("style,link")?.sheet, view = innerHeight, top = d.scrollingElement.scrollTop;
    if (!sheet) return;
    root.style.bottom = "";
    const own = box(root), set = (name, value) => sheet.cssRules[0].style.setProperty(name, value, "important");
    let end = 0, bar = view, covers;
    for (const x of d.body.children) if (x != part) if (css(x).position != "fixed") end = Math.max(end, box(x).bottom + top);
    d.body.querySelectorAll("a,button,input,select,textarea,summary,[tabindex]").forEach(x => {
      const at = box(x), under = view > at.top ? at.bottom > own.top : false;
      if (part.contains(x) || !at.height || !(under || at.bottom + top > end)) return;
      let free = true, up = x;
      for (; up != d.body; up = up.parentElement) {
        if (css(up).position == "fixed") {
          free = false;
          if (under) if (box(up).top > view * .6) bar = Math.min(bar, box(up).top);
        } else if (up != x) if (css(up).overflowY != "visible") free = false;
      }
      covers = covers || under;
      if (free) end = Math.max(end, at.bottom + top);
    });
    if (view > bar) root.style.bottom = Math.min(view - bar, own.top) + "px";
    set("--cg-h", view - box(root).top + "px");
    room.style.top = parseFloat(css(room).top) + end - top - box(room).top + "px";
    // An application that fills the window and lets nobody scroll it.
    if (covers) if (view >= end) if (/hidden|clip/.test(css(d.documentElement).overflowY + css(d.body).overflowY)) set("overflow-y", "auto");
  };
  const soon = () => {
    waits = waits || setTimeout(() => { waits = 0; if (root.isConnected) fit(); }, 150);
  };
  fit();
  ["load", "resize", "scroll"].forEach(x => addEventListener(x, soon));
  new ResizeObserver(soon).observe(root);
  // A framework that makes the whole document anew (React, where its markup differs) throws out what it does not know.
  // Not for ever: somebody else may want it out each time.
  new MutationObserver(() => {
    if (!ours()) if (times-- > 0) { d.body.append(part); lift(); }
    soon();
  }).observe(d.body, { childList: true });
  find(".cg-k button").addEventListener("click", () => { times = 0; part.remove(); });
  form.addEventListener("submit", x => {
    const button = x.submitter, to = new URL(form.getAttribute("action"), location);
    // A script may have made a foreign base element.
    form.action = to;
    if (plain || !button) return;
    x.preventDefault();
    if (busy) return;
    busy = true;
    const body = new URLSearchParams(new FormData(form));
    body.set(button.name, button.value);
    fetch(to, {
      method: "POST", body, redirect: "error", headers: { Accept: "application/json" }
    }).then(x => x.json()).then(detail => {
      if (detail.ok !== true) throw 0;
      d.dispatchEvent(new CustomEvent("cookieguard:change", { bubbles: true, detail }));
      done(detail.message);
    }).catch(() => {
      // A refused fetch can fail while this event is still fired, and a form in its submit event ignores a click.
      setTimeout(() => {
        // The plain way, as without script; never over somebody's input without a second click.
        plain = true;
        busy = false;
        if (!unsaved()) button.click();
      });
    });
  });
}
