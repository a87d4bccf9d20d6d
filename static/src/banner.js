// Sends the choice without losing what the visitor typed: the page loads again at once, unless a form has unsaved input.
{
  // `<img name=body>` hides the document's own `body`, so the properties are read with the getters of the prototype.
  const page = new Proxy(document, {
    get(target, name) {
      const value = Reflect.get(Document.prototype, name, target);
      return value?.call ? value.bind(target) : value;
    },
  });
  const ourPart = () => page.querySelector("cg-part#cg-p");
  // Another deferred script of the page may have removed our element before this script runs.
  const part = ourPart() || page.currentScript.closest("cg-part");
  const boxOf = element => element.getBoundingClientRect();
  const styleOf = element => getComputedStyle(element);

  // ---- The shadow tree

  let shadow = part.shadowRoot, inert = part.querySelector("template");
  if (shadow) {
    // Turbo and htmx restore a page from a copy of its markup, which has no shadow tree.
    inert = page.createElement("template");
    shadow.childNodes.forEach(node => inert.content.append(node.cloneNode(true)));
    part.append(inert);
  } else if (inert) {
    // The template did not become a shadow tree: the browser is too old, or a script inserted the markup.
    shadow = part.attachShadow({ mode: "open" });
    shadow.append(inert.content.cloneNode(true));
  }
  const find = selector => (shadow || part).querySelector(selector);
  const root = find("#cg"), room = find(".cg-r"), form = find("form"), saved = find(".cg-k");

  // Shows the banner above anything else on the page, however high its z-index. The focus stays where it is.
  const lift = () => {
    if (!root.showPopover) return;
    root.popover = "manual";
    root.autofocus = false;
    try { root.showPopover(); } catch { /* it is shown already */ }
    root.autofocus = true;
  };
  // If the page left elements open, our element is inside them. They may be hidden or moved, and inside a form of the page,
  // our forms would not work.
  if (part.parentNode != page.body) page.body.append(part);
  lift();

  // ---- Unsaved input

  let isUsed = true;
  // The first letters of a type identify it. Fields that take no input keep the value from the markup.
  const isChanged = field => {
    if (!isUsed || form.contains(field) || field.disabled) return;
    if (/^(che|rad)/.test(field.type)) return field.checked != field.defaultChecked;
    // A slider or a colour without a value attribute reports a default of its own, which is not input.
    if (/^(ran|col)/.test(field.type) && !field.defaultValue) return;
    if (!field.options) return field.value != field.defaultValue;
    const options = [...field.options];
    return field.multiple || options.some(option => option.defaultSelected)
      ? options.some(option => option.selected != option.defaultSelected)
      : field.selectedIndex > 0;
  };
  const hasUnsaved = () => [...page.querySelectorAll("input,select,textarea")].some(isChanged);
  // What scripts wrote into fields before the visitor used the page is not input. Shiny does so with sliders and dates.
  isUsed = hasUnsaved();
  ["click", "focusin"].forEach(type => addEventListener(type, event => {
    if (!part.contains(event.target)) isUsed = true;
  }, true));

  // ---- The banner's place

  // Adds room at the end of the page, so that the visitor can scroll every control out from under the banner. The banner is
  // placed above a bar that the page keeps at the bottom of the window.
  const fit = () => {
    const sheet = part.querySelector("style,link")?.sheet, view = innerHeight, top = page.scrollingElement.scrollTop;
    if (!sheet) return;
    root.style.bottom = "";
    const own = boxOf(root);
    const set = (name, value) => sheet.cssRules[0].style.setProperty(name, value, "important");
    let end = 0, bar = view, isCovering;
    for (const child of page.body.children) {
      if (child != part && styleOf(child).position != "fixed") end = Math.max(end, boxOf(child).bottom + top);
    }
    page.body.querySelectorAll("a,button,input,select,textarea,summary,[tabindex]").forEach(control => {
      const box = boxOf(control), isUnder = view > box.top ? box.bottom > own.top : false;
      if (part.contains(control) || !box.height || !(isUnder || box.bottom + top > end)) return;
      let moves = true;
      for (let parent = control; parent != page.body; parent = parent.parentElement) {
        if (styleOf(parent).position == "fixed") {
          moves = false;
          if (isUnder && boxOf(parent).top > view * 0.6) bar = Math.min(bar, boxOf(parent).top);
        } else if (parent != control && styleOf(parent).overflowY != "visible") moves = false;
      }
      isCovering = isCovering || isUnder;
      if (moves) end = Math.max(end, box.bottom + top);
    });
    if (view > bar) root.style.bottom = Math.min(view - bar, own.top) + "px";
    set("--cg-h", view - boxOf(root).top + "px");
    room.style.top = parseFloat(styleOf(room).top) + end - top - boxOf(room).top + "px";
    // An application that fills the window may not scroll, so scrolling is switched on while the banner covers a control.
    const overflow = styleOf(page.documentElement).overflowY + styleOf(page.body).overflowY;
    if (isCovering && view >= end && /hidden|clip/.test(overflow)) set("overflow-y", "auto");
  };
  let timer;
  const fitSoon = () => {
    timer = timer || setTimeout(() => {
      timer = 0;
      if (root.isConnected) fit();
    }, 150);
  };
  ["load", "resize", "scroll"].forEach(type => addEventListener(type, fitSoon));
  // The first report comes after the browser's own layout and before it paints, so reading boxes causes no extra layout.
  let isFitted;
  new ResizeObserver(() => {
    if (isFitted) fitSoon();
    else fit();
    isFitted = true;
  }).observe(root);

  // A framework that renders the whole document again (React, if its markup differs) removes elements that it does not
  // know. The banner is put back at most nine times, because a script may remove it each time.
  let returns = 9;
  new MutationObserver(() => {
    if (!ourPart() && returns-- > 0) {
      page.body.append(part);
      lift();
    }
    fitSoon();
  }).observe(page.body, { childList: true });
  find(".cg-k button").addEventListener("click", () => {
    returns = 0;
    part.remove();
  });

  // ---- The choice

  const showSaved = message => {
    // Resolved against `location`, because the page may have a foreign `<base>`.
    const next = new URL(form.elements.next.value, location);
    if (hasUnsaved()) {
      if (message) find(".cg-k p").textContent = message;
      form.hidden = true;
      saved.hidden = false;
      saved.focus();
    } else if (next + location.hash == location) location.reload();
    else location.assign(next);
  };
  let isBusy, isPlain;
  form.addEventListener("submit", event => {
    const button = event.submitter;
    // Resolved against `location`, because a script may have added a foreign `<base>`.
    const url = form.action = new URL(form.getAttribute("action"), location);
    if (isPlain || !button) return;
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    const body = new URLSearchParams(new FormData(form));
    body.set(button.name, button.value);
    fetch(url, { method: "POST", body, redirect: "error", headers: { Accept: "application/json" } })
      .then(response => response.json())
      .then(detail => {
        if (detail.ok !== true) throw 0;
        page.dispatchEvent(new CustomEvent("cookieguard:change", { bubbles: true, detail }));
        showSaved(detail.message);
      })
      .catch(() => {
        // A refused `fetch` can fail during this event, and a form ignores clicks until its submit event is over.
        setTimeout(() => {
          // The form is posted, as without script. If there is unsaved input, that takes a second click.
          isPlain = true;
          isBusy = false;
          if (!hasUnsaved()) button.click();
        });
      });
  });
}
