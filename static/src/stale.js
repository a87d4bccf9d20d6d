// After live.js, on pages where the visitor allows more than what is necessary. Loads the page again after a choice that was
// made in another tab, or while the page was kept in the browser's history.
(page => {
  // The address that answers whether the choice in this page is still in force.
  const stateUrl = page.currentScript.dataset.cg;
  // live.js has set this property to 1.
  if (page.cg > 1) return;
  page.cg = 2;

  // In pages that answered a POST, web/assets.py replaces this call (`VARIANTS`).
  const loadAgain = () => location.reload();
  const tabs = self.BroadcastChannel ? new BroadcastChannel("cg") : {};
  tabs.onmessage = loadAgain;

  let told; // the channel to the other tabs, once a choice was made in this one
  // The submit event of a form in a shadow tree does not reach the window, so the click on its button is watched.
  addEventListener("click", event => {
    const button = event.composedPath()[0];
    if (/\/consent$/.test(button.form?.action) && button.type == "submit") {
      told = tabs;
      // Resolved against `location`, because a script may have added a foreign `<base>`.
      button.form.action = new URL(button.form.getAttribute("action"), location);
    }
  }, true);
  // When the page is left, the browser has the new cookie, so the other tabs may load again.
  addEventListener("pagehide", () => told?.postMessage?.(1));

  // A page from the browser's history is loaded again only if the server answers that its choice is no longer in force, or
  // does not answer, so that visitors keep what they typed. The request is HEAD, because shops' service workers do not
  // cache answers to it.
  addEventListener("pageshow", event => {
    const ask = () => fetch(new URL(stateUrl, location), { method: "HEAD" });
    const judge = answer => answer.status == 204 || loadAgain();
    if (event.persisted) stateUrl ? ask().then(judge, loadAgain) : loadAgain();
  });
})(document);
