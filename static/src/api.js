// What the page's own scripts may ask about the visitor's choice: `window.cookieguard`, there before any of them runs.
// It says what holds for this document and never changes, because a choice loads the page again.
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
    // On the prototype, it does not collide with a `let cookieguard` or `var cookieguard` of the shop.
    Object.defineProperty(Window.prototype, "cookieguard", { value: Object.freeze(api) });

    addEventListener("cookieguard:change", event => onchange?.(event));

    // A form that users wrote, such as a review that a script renders, must not post to our pages. It may open those that
    // only show something: choices, cookies, policy. Our own forms pass. They are in a shadow tree, whose submit events
    // do not reach the window; in our element; or on a page of ours that Turbo or htmx put in place of the shop's.
    addEventListener("submit", event => {
      const form = event.target, button = event.submitter;
      if (location.pathname.startsWith(ownPath) || !(form instanceof HTMLFormElement)) return;
      // A field named `action` hides the property of its form, so the prototype is asked.
      const action = button?.attributes.formaction ? button.formAction : Reflect.get(HTMLFormElement.prototype, "action", form);
      const path = unescape(action.split(/[?#]/)[0]);
      if (path.includes(unescape(ownPath)) && !/(es|icy)$/.test(path) && !button?.closest("cg-part")) {
        event.preventDefault();
        event.stopPropagation();
      }
    }, true);

    // Any element with `data-cg-open` leads to the choices. A link does so in the way it was clicked: in a new tab, too.
    addEventListener("click", event => {
      const element = event.composedPath().find(node => node.matches?.("[data-cg-open]"));
      if (element) element.href ? (element.href = choicesUrl()) : api.open();
    }, true);
  }
}
