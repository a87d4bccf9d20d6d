// Behind live.js, on pages where something beyond the necessary is in force: a choice made in another tab, or while
// this page was kept in the history, loads it again. A choice is announced when its page is left: by then the browser
// has the new cookie. Of a page out of the history the server says whether what it came with is still in force, so
// visitors keep what they typed; where the server does not answer, the page is loaded again.
// t  the channel to other tabs, c  the same once something is chosen, q  what to ask, a  loads the page again
(d => {
  let t = self.BroadcastChannel ? new BroadcastChannel("cg") : {}, c, q = d.currentScript.dataset.cg, a = () => location.reload();
  if (d.cg > 1) return;
  d.cg = 2;
  t.onmessage = a;
  // A form in a shadow keeps its submit event to itself.
  addEventListener("click", e => {
    let x = e.composedPath()[0];
    if (/\/consent$/.test(x.form?.action)) if (x.type == "submit") {
      c = t;
      // A script may have made a foreign base element.
      x.form.action = new URL(x.form.getAttribute("action"), location);
    }
  }, true);
  addEventListener("pagehide", () => c?.postMessage?.(1));
  // A service worker of the shop's keeps no answer to HEAD.
  addEventListener("pageshow", e => e.persisted ? q ? fetch(new URL(q, location), {method: "HEAD"}).then(x => x.status - 204 ? a() : 0, a) : a() : 0);
})(document);
