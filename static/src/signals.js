// Tells tags what the visitor agreed to, in their makers' words: one default before any tag runs, and one update if there
// is a choice. It contacts no host. It fills the queues that tags read once they are let in.
(view => {
  const ownScript = document.currentScript;
  // The tags to tell, the state of consent, and the purposes that were agreed to.
  const [tags, state, ...granted] = ownScript.dataset.cg.split(" ");
  const denied = "denied", word = purpose => granted.includes(purpose) ? "granted" : denied;
  const ads = word("marketing"), statistics = word("statistics"), preferences = word("preferences");

  // Calls `found` with the value of a property, now and whenever the page sets another.
  const watch = (owner, name, found) => {
    let current = owner[name];
    Reflect.defineProperty(owner, name, { configurable: true, enumerable: true, get: () => current, set(value) {
      current = value;
      if (value) found(value);
    } });
    if (current) found(current);
  };
  // Puts calls at the start of a queue, also if the page sets another (`dataLayer = [...]`) before its tags read it.
  const putFirst = (owner, name, calls) =>
    watch(owner, name, queue => queue.includes?.(calls.at(-1)) || queue.unshift?.(...calls));
  const tell = (name, calls, update) => {
    view[name] = view[name] || [];
    putFirst(view, name, state === "undecided" ? calls : [...calls, ...update]);
  };

  const tellers = {
    // Consent mode v2, basic. The tag takes an arguments object for a command, but no array.
    google() {
      const command = (verb, ads, statistics, preferences) =>
        (function () { return [arguments]; })("consent", verb, {
          ad_storage: ads, ad_user_data: ads, ad_personalization: ads, analytics_storage: statistics,
          functionality_storage: preferences, personalization_storage: preferences, security_storage: "granted",
        });
      tell("dataLayer", command("default", denied, denied, denied), command("update", ads, statistics, preferences));
    },
    "microsoft-uet"() {
      tell("uetq", ["consent", "default", { ad_storage: denied }], ["consent", "update", { ad_storage: ads }]);
    },
    // Clarity spells its words with a capital S.
    "microsoft-clarity"() {
      const calls = function () { (calls.q = calls.q || []).push(arguments); };
      view.clarity = view.clarity || calls;
      view.clarity("consentv2", { ad_Storage: ads, analytics_Storage: statistics });
    },
    // Meta's snippet loads nothing if `fbq` is there already. So it is told as soon as it makes its queue, before "init".
    meta() {
      const calls = [["consent", ads === denied ? "revoke" : "grant"]];
      watch(view, "fbq", fbq => fbq.call ? putFirst(fbq, "queue", calls) : 0);
    },
  };
  ownScript.remove();
  // Turbo swaps further pages into one document. The first one has told.
  if (!("cookieguard" in view)) tags.split(",").forEach(tag => tellers[tag]());
})(window);
