// Sends the choice without losing what somebody typed: the page reloads at once, unless a form holds unsaved input.
// Free of the characters that would end a script or break XHTML (no less-than, no ampersand), and of eval and HTML.
(function () {
  "use strict";
  var d = document, part = d.querySelector("cg-part#cg-p"), shadow = part.shadowRoot, inert = part.querySelector("template");
  if (shadow) {
    // For what brings the page back from a copy of its markup (Turbo, htmx): no copy has a shadow.
    inert = d.createElement("template");
    shadow.childNodes.forEach(function (one) { inert.content.append(one.cloneNode(true)); });
    part.append(inert);
  } else if (inert) {
    // Nobody made a shadow of it: a browser that does not know how, or a script put the markup in.
    shadow = part.attachShadow({ mode: "open" });
    shadow.append(inert.content.cloneNode(true));
  }
  var root = (shadow || part).querySelector("#cg"), room = (shadow || part).querySelector(".cg-r");
  var form = root.querySelector("form"), kept = root.querySelector(".cg-k"), busy = false, plain = false;
  // Above whatever lies over the page, however high its z-index; the focus stays where it is.
  function lift() {
    if (!root.showPopover) return;
    root.popover = "manual";
    root.autofocus = false;
    try { root.showPopover(); } catch (e) { /* it is shown */ }
    root.autofocus = true;
  }
  // What the page left open is around us, and may be hidden or moved; a form of ours would be none in one of theirs.
  if (part.parentNode !== d.body) d.body.append(part);
  lift();
  function changed(field) {
    if (form.contains(field) || field.disabled) return false;
    if (/^(hidden|submit|button|reset|image)$/.test(field.type)) return false;
    if (/^(checkbox|radio)$/.test(field.type)) return field.checked !== field.defaultChecked;
    // A slider or colour without a value attribute reports its own default: that is not input.
    if (/^(range|color)$/.test(field.type)) if (!field.defaultValue) return false;
    if (!field.options) return field.value !== (field.defaultValue || "");
    var options = Array.from(field.options);
    var preset = options.some(function (one) { return one.defaultSelected; });
    if (!preset) if (!field.multiple) return field.selectedIndex > 0;
    return options.some(function (one) { return one.selected !== one.defaultSelected; });
  }
  function unsaved() {
    return Array.from(d.querySelectorAll("input,select,textarea")).some(changed);
  }
  function done(message) {
    if (unsaved()) {
      if (message) kept.querySelector("p").textContent = message;
      form.hidden = true;
      kept.hidden = false;
      kept.focus();
      return;
    }
    // Against location, not against a foreign base element.
    var next = new URL(form.elements.next.value, location.href);
    if (next.pathname + next.search === location.pathname + location.search) location.reload();
    else location.assign(next.href);
  }
  function failed(button) {
    // The plain way, as without script; never over somebody's input without a second click.
    plain = true;
    busy = false;
    if (!unsaved()) button.click();
  }
  // Every control of the page can be scrolled clear of the banner, whatever carries the page's height; above a bar
  // that the page keeps at the bottom the banner leaves it in view.
  function fit() {
    var own = part.querySelector("style,link"), sheet = own ? own.sheet : null;
    if (!sheet) return;
    root.style.bottom = "";
    var box = root.getBoundingClientRect(), view = innerHeight, top = d.scrollingElement.scrollTop, end = 0, bar = view, is_under = false;
    function set(name, value) { sheet.cssRules[0].style.setProperty(name, value, "important"); }
    Array.from(d.body.children).forEach(function (one) {
      if (one !== part) if (getComputedStyle(one).position !== "fixed") end = Math.max(end, one.getBoundingClientRect().bottom + top);
    });
    d.body.querySelectorAll("a,button,input,select,textarea,summary,[tabindex]").forEach(function (one) {
      var at = one.getBoundingClientRect(), under = view > at.top ? at.bottom > box.top : false, free = true, style;
      if (part.contains(one) || !at.height) return;
      if (!under) if (end >= at.bottom + top) return;
      for (var up = one; up !== d.body; up = up.parentElement) {
        style = getComputedStyle(up);
        if (style.position === "fixed") {
          free = false;
          if (under) if (up.getBoundingClientRect().top > view * 0.6) bar = Math.min(bar, up.getBoundingClientRect().top);
        } else if (up !== one) if (style.overflowY !== "visible") free = false;
      }
      is_under = is_under || under;
      if (free) end = Math.max(end, at.bottom + top);
    });
    if (view > bar) root.style.bottom = Math.min(view - bar, box.top) + "px";
    set("--cg-h", view - root.getBoundingClientRect().top + "px");
    room.style.top = parseFloat(getComputedStyle(room).top) + end - top - room.getBoundingClientRect().top + "px";
    // An application that fills the window and lets nobody scroll it.
    if (is_under) if (view >= end) if (/hidden|clip/.test(getComputedStyle(d.documentElement).overflowY + getComputedStyle(d.body).overflowY)) set("overflow-y", "auto");
  }
  var waits = 0;
  function soon() {
    if (!waits) waits = setTimeout(function () { waits = 0; if (root.isConnected) fit(); }, 150);
  }
  fit();
  ["load", "resize", "scroll"].forEach(function (kind) { addEventListener(kind, soon, { passive: true }); });
  if (window.ResizeObserver) new ResizeObserver(soon).observe(root);
  // A framework that makes the whole document anew (React, where its markup differs) throws out what it does not know.
  // Not for ever: somebody else may want it out each time.
  var times = 9;
  new MutationObserver(function () {
    if (!d.querySelector("cg-part#cg-p")) if (times-- > 0) { d.body.append(part); lift(); }
    soon();
  }).observe(d.body, { childList: true });
  kept.querySelector("button").addEventListener("click", function () { times = 0; part.remove(); });
  form.addEventListener("submit", function (event) {
    var button = event.submitter;
    if (plain || !button) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    var fields = new URLSearchParams(new FormData(form));
    fields.set(button.name, button.value);
    fetch(new URL(form.getAttribute("action"), location.href), {
      method: "POST", body: fields, redirect: "error", headers: { Accept: "application/json" }
    }).then(function (answer) {
      return answer.json();
    }).then(function (answer) {
      if (answer.ok !== true) throw 0;
      d.dispatchEvent(new CustomEvent("cookieguard:change", { bubbles: true, detail: answer }));
      done(answer.message);
    }).catch(function () {
      // A refused fetch can fail while this event is still fired, and a form in its submit event ignores a click.
      setTimeout(failed, 0, button);
    });
  });
})();
