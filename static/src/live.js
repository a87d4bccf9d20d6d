// On pages where a choice was made: our control stays where a framework makes the whole document anew and throws out
// what it does not know, so the visitor keeps the way back to the choices.
(d => {
  let y, n = 9;
  // The head stays as the shop wrote it; Turbo runs the script of its next page in this very document.
  d.currentScript.remove();
  if (d.cg) return;
  d.cg = 1;
  new MutationObserver(() => {
    // Nobody else has this element, though a shop may have this id.
    let x = d.querySelector("cg-part#cg");
    // A copy of the page's markup, as Turbo and htmx keep it, has no shadow, and with it neither of these.
    if ((x?.shadowRoot || x)?.querySelector("form,div")) y = x;
    // Its own form may be gone, which somebody wanted: in its own place it would be put without end.
    else if (y) if (x) x == y || x.replaceWith(y);
    // Not for ever: somebody else may want it out each time.
    // Markup may be put in that has no body yet.
    else n-- > 0 ? d.body?.append(y) : 0;
  }).observe(d, {childList: 1, subtree: 1});
})(document);
