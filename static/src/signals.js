// Tells tags what the visitor agreed to, in the words of their makers: one default before any tag runs, and one update
// where there is a choice. It contacts nobody: it fills the queues that tags read once they are let in.
// Free of the characters that would end a script or break XHTML, and of eval and HTML, as all our scripts are.
(w => {
  let m = document.currentScript, [named, state, ...granted] = m.dataset.cg.split(" ");
  let denied = "denied", word = purpose => granted.includes(purpose) ? "granted" : denied;
  let ads = word("marketing"), counts = word("statistics"), likes = word("preferences");
  // Hand on what stands under a name, now and whenever the page sets it anew.
  let watch = (where, name, found) => {
    let now = where[name];
    Reflect.defineProperty(where, name, { configurable: true, enumerable: true, get: () => now, set(value) {
      now = value;
      if (value) found(value);
    } });
    if (now) found(now);
  };
  // Put calls first into a queue, also where the page sets another (`dataLayer = [...]`) before its tags read it.
  let first = (where, name, calls) =>
    watch(where, name, queue => queue.includes?.(calls.at(-1)) || queue.unshift?.(...calls));
  let both = (name, calls, update) => {
    w[name] = w[name] || [];
    first(w, name, state === "undecided" ? calls : [...calls, ...update]);
  };
  let tell = {
    // Consent mode v2, basic. What reads this queue takes an arguments object for a command, and no array.
    google() {
      let said = (verb, ads, counts, likes) =>
        (function () { return [arguments]; })("consent", verb, {
          ad_storage: ads, ad_user_data: ads, ad_personalization: ads, analytics_storage: counts,
          functionality_storage: likes, personalization_storage: likes, security_storage: "granted"
        });
      both("dataLayer", said("default", denied, denied, denied), said("update", ads, counts, likes));
    },
    "microsoft-uet"() {
      both("uetq", ["consent", "default", { ad_storage: denied }], ["consent", "update", { ad_storage: ads }]);
    },
    // Its words have a capital S.
    "microsoft-clarity"() {
      let calls = function () { (calls.q = calls.q || []).push(arguments); };
      w.clarity = w.clarity || calls;
      w.clarity("consentv2", { ad_Storage: ads, analytics_Storage: counts });
    },
    // Meta's snippet loads nothing where `fbq` is there already. So it is told when it makes its queue: before "init".
    meta() {
      let calls = [["consent", ads === denied ? "revoke" : "grant"]];
      watch(w, "fbq", fbq => fbq.call ? first(fbq, "queue", calls) : 0);
    }
  };
  m.remove();
  // Of the pages that Turbo swaps into one document the first has said it.
  if (!("cookieguard" in w)) named.split(",").forEach(one => tell[one]());
})(window);
