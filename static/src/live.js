// On pages where a choice was made: brings our control back where a framework renders the whole document again and throws
// out what it does not know. So the visitor keeps the way to the choices.
(page => {
  // The head stays as the shop wrote it.
  page.currentScript.remove();
  // Turbo runs the script of its next page in this same document.
  if (page.cg) return;
  page.cg = 1;

  let whole, returns = 9;
  new MutationObserver(() => {
    // No shop has this element, though one may have this id.
    const control = page.querySelector("cg-part#cg");
    // Turbo and htmx keep a copy of the page's markup. In it our element has no shadow, so it is empty.
    if ((control?.shadowRoot || control)?.querySelector("form,div")) whole = control;
    else if (whole) {
      // A script may have emptied the control itself on purpose. To replace it by itself would never end.
      if (control) control == whole || control.replaceWith(whole);
      // Nine times and no more: a script may want it out each time. Markup that is put in may have no body yet.
      else if (returns-- > 0) page.body?.append(whole);
    }
  }).observe(page, { childList: true, subtree: true });
})(document);
