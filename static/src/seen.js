// At the end of a page from a cache: reports once that it was viewed, because the shop's server gets no request for it. At
// the start of a visit it asks whether the page's choice is still in force, and loads the page again if it is not.
(page => {
  const [seenUrl, value, address, route, stateUrl] = page.currentScript.dataset.cg.split(" ");

  const report = () => {
    const way = performance.getEntriesByType("navigation")[0]?.type;
    // A page from the browser's history does not count as a view.
    if (way == "back_forward") return;
    const from = page.referrer ? new URL(page.referrer) : {};
    const isInside = from.origin == location.origin;
    // After a choice, the page is loaded again, and its referrer is the page itself or the page of choices.
    const isOwn = isInside ? from.pathname == location.pathname || from.pathname.startsWith(seenUrl.slice(0, -4)) : false;
    const comesAgain = way == "reload" || isOwn;
    const said = { v: value, p: address, t: decodeURIComponent(route), r: from.origin || "", s: comesAgain ? 1 : "" };
    // Resolved against `location`, because a script of the shop may have added a foreign `<base>`.
    navigator.sendBeacon(new URL(seenUrl, location), new URLSearchParams(said));
    if (stateUrl && !isInside && way != "reload")
      fetch(new URL(stateUrl, location), { method: "HEAD" }).then(answer => answer.status == 204 || location.reload(), () => {});
  };

  page.prerendering ? page.addEventListener("prerenderingchange", report, { once: true }) : report();
})(document);
