// After a refusal: clears what vendors left in this browser's storage, by the names and patterns they are declared with.
(function () {
  "use strict";
  var ownScript = document.currentScript;
  var patterns = ownScript.getAttribute("data-k").split(" ");
  // The script removes its own element, because a framework that hydrates the whole head expects only its own elements.
  ownScript.remove();

  function isDeclared(name) {
    return patterns.some(function (pattern) {
      return pattern.slice(-1) === "*" ? name.indexOf(pattern.slice(0, -1)) === 0 : name === pattern;
    });
  }

  ["localStorage", "sessionStorage"].forEach(function (kind) {
    try {
      var storage = window[kind];
      Object.keys(storage).filter(isDeclared).forEach(function (name) { storage.removeItem(name); });
    } catch (refused) {
      // In a sandbox, or by a setting, reading `localStorage` throws an error. Then the storage is empty.
    }
  });
})();
