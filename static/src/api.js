// `window.cookieguard`, by which the page's own scripts read the visitor's choice. It exists before any of them runs, and
// never changes in a document, because a choice loads the page again.
{
  const ownScript = document.currentScript;
  // The path of our own pages, the state of consent, and the purposes that were agreed to.
  const [ownPath, state, ...granted] = ownScript.dataset.cg.split(" ");

  const choicesUrl = () =>
    origin + ownPath + "choices?next=" + encodeURIComponent(location.pathname + location.search) +
    "&lang=" + document.documentElement.lang;

  let onchange = null;
  const api = {
    state,
    has: purpose => granted.includes(purpose),
    get onchange() { return onchange; },
    set onchange(listener) { onchange = listener; },
    open: () => (location = choicesUrl()),
  };

  ownScript.remove();
  // Turbo runs the script of its next page in this same document, whose policy stays what it was.
  if (!window.cookieguard) {
    // The property is on the prototype, so that it does not collide with a `let` or `var` of this name in the shop's code.
    Object.defineProperty(Window.prototype, "cookieguard", { value: Object.freeze(api) });

    addEventListener("cookieguard:change", event => onchange?.(event));

    // A form that users wrote, such as in a review that a script renders, must not post to our pages. It may open those
    // that only show something: choices, cookies, policy. Our own forms pass: they are in a shadow tree, whose submit
    // events do not reach the window, or in our element, or on a page of ours that Turbo or htmx put into this document.
    addEventListener("submit", event => {
      const form = event.target, button = event.submitter;
      if (location.pathname.startsWith(ownPath) || !(form instanceof HTMLFormElement)) return;
      // A field named `action` hides this property of its form, so it is read with the getter of the prototype.
      const action = button?.attributes.formaction ? button.formAction : Reflect.get(HTMLFormElement.prototype, "action", form);
      const path = unescape(action.split(/[?#]/)[0]);
      if (path.includes(unescape(ownPath)) && !/(es|icy)$/.test(path) && !button?.closest("cg-part")) {
        event.preventDefault();
        event.stopPropagation();
      }
    }, true);

    // A click on an element with `data-cg-open` opens the choices. A link opens them as it was clicked, even in a new tab.
    addEventListener("click", event => {
      const element = event.composedPath().find(node => node.matches?.("[data-cg-open]"));
      if (element) element.href ? (element.href = choicesUrl()) : api.open();
    }, true);
  }
}
