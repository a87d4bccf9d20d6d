// Passes the visitor's choice to vendors' tags in their own commands: one default before any tag runs, and one update if
// there is a choice. It contacts no host, but fills the queues that the tags read once they may load.
(view => {
  const ownScript = document.currentScript;
  // The vendors with such commands, the state of consent, and the purposes that were agreed to.
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
  // Puts calls at the start of a queue, even if the page sets another queue (`dataLayer = [...]`) before its tags read it.
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
    // Meta's snippet does not load if `fbq` exists already. So the call is made as soon as the snippet sets `fbq`, before
    // "init".
    meta() {
      const calls = [["consent", ads === denied ? "revoke" : "grant"]];
      watch(view, "fbq", fbq => fbq.call ? putFirst(fbq, "queue", calls) : 0);
    },
  };
  ownScript.remove();
  // Turbo puts further pages into the same document, whose queues have their calls from the first page.
  if (!("cookieguard" in view)) tags.split(",").forEach(tag => tellers[tag]());
})(window);
