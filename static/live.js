// On pages where something beyond the necessary is alive: a choice made in another tab, or while this page lay in
// the history, loads it again. A choice is told when its page is left: by then the browser has the new cookie. And who
// can withdraw stays able to where a framework makes the whole document anew and throws out what it does not know.
// t  the channel to other tabs, c  the same once something is chosen, y  our element, a  loads the page again
(() => {
  var d = document, t = self.BroadcastChannel ? new BroadcastChannel("cg") : {}, c, y, n = 9, a = () => location.reload();
  // The head stays as the shop wrote it; Turbo runs the script of its next page in this very document.
  d.currentScript.remove();
  if (d.cg) return;
  d.cg = 1;
  new MutationObserver(() => {
    // Nobody else has this element, though a shop may have this id.
    var x = d.querySelector("cg-part#cg");
    // A copy of the page's markup, as Turbo and htmx keep it, has no shadow, and with it no form.
    if ((x?.shadowRoot || x)?.querySelector("form")) y = x;
    // Its own form may be gone, which somebody wanted: in its own place it would be put without end.
    else if (y) if (x) x == y || x.replaceWith(y);
    // Not for ever: somebody else may want it out each time.
    // Markup may be put in that has no body yet.
    else n-- > 0 ? d.body?.append(y) : 0;
  }).observe(d, {childList: 1, subtree: 1});
  t.onmessage = a;
  // A form in a shadow keeps its submit event to itself.
  addEventListener("click", e => {
    var x = e.composedPath()[0];
    if (/\/consent$/.test(x.form?.action)) if (x.type == "submit") {
      c = t;
      // A script may have made a foreign base element.
      x.form.action = new URL(x.form.getAttribute("action"), location);
    }
  }, true);
  addEventListener("pagehide", () => c?.postMessage?.(1));
  addEventListener("pageshow", e => e.persisted ? a() : 0);
})();
