// Sends the choice without losing what somebody typed: the page reloads at once, unless a form holds unsaved input.
// Free of the characters that would end a script or break XHTML (no less-than, no ampersand), and of eval and HTML.
(function () {
  "use strict";
  var d = document, root = d.getElementById("cg"), form = root.querySelector("form");
  var kept = root.querySelector(".cg-k"), busy = false, plain = false;
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
  function done() {
    if (unsaved()) {
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
  // A framework that makes the whole document anew (React, where its markup differs) throws out what it does not know.
  // Not for ever: somebody else may want it out each time.
  var place = root.parentNode, times = 9;
  new MutationObserver(function () {
    if (!d.getElementById("cg")) if (place.contains(root)) if (times-- > 0) d.body.prepend(place);
  }).observe(d.body, { childList: true });
  kept.querySelector("button").addEventListener("click", function () { root.remove(); });
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
      done();
    }).catch(function () {
      // A refused fetch can fail while this event is still fired, and a form in its submit event ignores a click.
      setTimeout(failed, 0, button);
    });
  });
})();
