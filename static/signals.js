// Tells tags what the visitor agreed to, in the words of their makers: one default before any tag runs, and one update
// where there is a choice. It contacts nobody: it fills the queues that tags read once they are let in.
// Free of the characters that would end a script or break XHTML, and of eval and HTML, as all our scripts are.
(w => {
  let m = document.currentScript, [named, state, ...granted] = m.dataset.cg.split(" ");
  let denied = "denied", word = purpose => granted.includes(purpose) ? "granted" : denied;
  let ads = word("marketing"), counts = word("statistics"), likes = word("preferences");
  let tell = {
    // Consent mode v2, basic. What reads this queue takes an arguments object for a command, and no array.
    google() {
      let layer = w.dataLayer = w.dataLayer || [];
      let command = function () { layer.push(arguments); };
      let said = (ads, counts, likes) => ({
        ad_storage: ads, ad_user_data: ads, ad_personalization: ads, analytics_storage: counts,
        functionality_storage: likes, personalization_storage: likes, security_storage: "granted"
      });
      command("consent", "default", said(denied, denied, denied));
      if (state !== "undecided") command("consent", "update", said(ads, counts, likes));
    },
    "microsoft-uet"() {
      let queue = w.uetq = w.uetq || [];
      queue.push("consent", "default", { ad_storage: denied });
      if (state !== "undecided") queue.push("consent", "update", { ad_storage: ads });
    },
    // Its words have a capital S.
    "microsoft-clarity"() {
      let calls = function () { (calls.q = calls.q || []).push(arguments); };
      w.clarity = w.clarity || calls;
      w.clarity("consentv2", { ad_Storage: ads, analytics_Storage: counts });
    },
    // Meta's snippet loads nothing where `fbq` is there already. So it is told when it makes its queue: before "init".
    meta() {
      let place = (where, name, found) => {
        let open = { configurable: true, enumerable: true };
        if (where[name]) return found(where[name]);
        Object.defineProperty(where, name, { ...open, get() {}, set(value) {
          Object.defineProperty(where, name, { ...open, value, writable: true });
          if (value) found(value);
        } });
      };
      place(w, "fbq", fbq => place(fbq, "queue", queue => queue.unshift?.(["consent", ads === denied ? "revoke" : "grant"])));
    }
  };
  m.remove();
  // Of the pages that Turbo swaps into one document the first has said it.
  if (!("cookieguard" in w)) named.split(",").forEach(one => tell[one]());
})(window);
