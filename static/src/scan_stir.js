// For scans only. Acts like a visitor: scrolls to the end and back, hovers over menus and opens them. It sends no form and
// follows no link. The scan waits for the promise that this script returns.
(async () => {
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const hover = element => element.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  // A page with endless scrolling grows, so the end is at most 12 screens down.
  const end = () => Math.min(document.documentElement.scrollHeight, innerHeight * 12);
  for (let y = 0; y < end(); y += innerHeight * 0.8) {
    scrollTo(0, y);
    await wait(60);
  }
  const menus = "summary,[aria-haspopup]:not([aria-haspopup=false]),[aria-expanded=false],[data-toggle=dropdown],.dropdown-toggle,.menu-toggle";
  let left = 8;
  for (const menu of document.querySelectorAll(menus)) {
    const leadsAway = menu.closest("a[href]:not([href^='#'])") || (menu.form && menu.type === "submit");
    if (leadsAway || menu.closest("cg-part") || left-- <= 0) continue;
    hover(menu);
    menu.click();
    await wait(60);
  }
  [...document.querySelectorAll("nav li")].slice(0, 12).forEach(hover);
  scrollTo(0, 0);
})();
