// Behind live.js, on pages where more than the necessary is in force. Loads this page again after a choice that was made
// in another tab, or while this page was kept in the browser's history.
(page => {
  // The address that says whether what this page came with is still in force.
  const stateUrl = page.currentScript.dataset.cg;
  // live.js has set 1.
  if (page.cg > 1) return;
  page.cg = 2;

  // In pages that answered a POST, web/assets.py replaces this call (`VARIANTS`).
  const loadAgain = () => location.reload();
  const tabs = self.BroadcastChannel ? new BroadcastChannel("cg") : {};
  tabs.onmessage = loadAgain;

  let told; // the other tabs, once a choice was made here
  // A form in a shadow tree keeps its submit event to itself, so the click on its button is watched.
  addEventListener("click", event => {
    const button = event.composedPath()[0];
    if (/\/consent$/.test(button.form?.action) && button.type == "submit") {
      told = tabs;
      // A script may have made a foreign `<base>`.
      button.form.action = new URL(button.form.getAttribute("action"), location);
    }
  }, true);
  // By the time that its page is left, the browser has the new cookie.
  addEventListener("pagehide", () => told?.postMessage?.(1));

  // Out of the history, a page is loaded again only if the server says that its choice is no longer in force, or does not
  // answer; so visitors keep what they typed. No service worker of a shop keeps answers to HEAD.
  addEventListener("pageshow", event => {
    const ask = () => fetch(new URL(stateUrl, location), { method: "HEAD" });
    const judge = answer => answer.status == 204 || loadAgain();
    if (event.persisted) stateUrl ? ask().then(judge, loadAgain) : loadAgain();
  });
})(document);
