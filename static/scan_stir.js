// For scans only: does what visitors do. Scrolls to the end and back, hovers and opens menus; sends no form, follows no link.
async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const end = () => Math.min(document.documentElement.scrollHeight, innerHeight * 12);
  for (let y = 0; y < end(); y += innerHeight * 0.8) { scrollTo(0, y); await wait(60); }
  const menus = "summary,[aria-haspopup]:not([aria-haspopup=false]),[aria-expanded=false],[data-toggle=dropdown],.dropdown-toggle,.menu-toggle";
  let left = 8;
  for (const one of document.querySelectorAll(menus)) {
    const leads = one.closest("a[href]:not([href^='#'])") || one.closest("cg-part") || (one.form && one.type === "submit");
    if (leads || left-- <= 0) continue;
    one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    one.click();
    await wait(60);
  }
  for (const one of [...document.querySelectorAll("nav li")].slice(0, 12)) one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  scrollTo(0, 0);
}
