// On pages where a choice was made: puts our control, by which visitors open the choices, back if a framework renders the
// whole document again and removes it.
(page => {
  // The script removes its own element, so that the head is as the shop wrote it.
  page.currentScript.remove();
  // Turbo runs the script of its next page in this same document.
  if (page.cg) return;
  page.cg = 1;

  let whole, returns = 9;
  new MutationObserver(() => {
    // The selector has the element's name too, because a shop may use the same id.
    const control = page.querySelector("cg-part#cg");
    // Turbo and htmx keep a copy of the page's markup. In it our element has no shadow, so it is empty.
    if ((control?.shadowRoot || control)?.querySelector("form,div")) whole = control;
    else if (whole) {
      // A script may have emptied the control on purpose. Replacing the control by itself would go on for ever.
      if (control) control == whole || control.replaceWith(whole);
      // At most nine times, because a script may remove it each time. A document that is being replaced may have no body.
      else if (returns-- > 0) page.body?.append(whole);
    }
  }).observe(page, { childList: true, subtree: true });
})(document);
