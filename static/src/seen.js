// At the end of a page that a cache keeps: reports once that it is seen, since the shop's server does not know. At the
// beginning of a visit it asks whether the page's choice is still in force, and loads the page again if it is not.
(page => {
  const [seenUrl, value, address, route, stateUrl] = page.currentScript.dataset.cg.split(" ");

  const report = () => {
    const way = performance.getEntriesByType("navigation")[0]?.type;
    // A page out of the history is no new view.
    if (way == "back_forward") return;
    const from = page.referrer ? new URL(page.referrer) : {};
    const isInside = from.origin == location.origin;
    // After a choice its page comes again, from itself or from the page of choices.
    const isOwn = isInside ? from.pathname == location.pathname || from.pathname.startsWith(seenUrl.slice(0, -4)) : false;
    const comesAgain = way == "reload" || isOwn;
    const said = { v: value, p: address, t: decodeURIComponent(route), r: from.origin || "", s: comesAgain ? 1 : "" };
    // A script of the shop may have made a foreign `<base>`.
    navigator.sendBeacon(new URL(seenUrl, location), new URLSearchParams(said));
    if (stateUrl && !isInside && way != "reload")
      fetch(new URL(stateUrl, location), { method: "HEAD" }).then(answer => answer.status == 204 || location.reload(), () => {});
  };

  page.prerendering ? page.addEventListener("prerenderingchange", report, { once: true }) : report();
})(document);
