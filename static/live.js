// On pages where something beyond the necessary is alive: a choice made in another tab, or while this page lay in
// the history, loads it again. A choice is told when its page is left: by then the browser has the new cookie. And who
// can withdraw stays able to where a framework makes the whole document anew and throws out what it does not know.
(() => {
  var d = document, tabs = window.BroadcastChannel ? new BroadcastChannel("cg") : null, chosen, part, times = 9;
  var again = () => location.reload();
  new MutationObserver(() => {
    var one = d.getElementById("cg");
    // A copy of the page's markup, as Turbo and htmx keep it, has no shadow, and with it no form.
    if (one) if (part) if (!one.shadowRoot) if (!one.querySelector("form")) one.replaceWith(part);
    if (one) part = d.getElementById("cg");
    // Not for ever: somebody else may want it out each time.
    else if (part) if (times-- > 0) d.body.append(part);
  }).observe(d, {childList: true, subtree: true});
  if (tabs) tabs.onmessage = again;
  // A form in a shadow keeps its submit event to itself.
  addEventListener("click", event => {
    var one = event.composedPath()[0];
    if (/\/consent$/.test(one.form?.action)) if (one.type == "submit") chosen = tabs;
  }, true);
  addEventListener("pagehide", () => chosen?.postMessage(1));
  addEventListener("pageshow", event => {
    if (event.persisted) again();
  });
})();
