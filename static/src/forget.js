// After a refusal: what vendors left in this browser's storage goes, by the names and patterns they are declared with.
// Free of the characters that would end a script or break XHTML, and of eval and HTML, as all our scripts are.
(function () {
  "use strict";
  var own = document.currentScript, keys = own.getAttribute("data-k").split(" ");
  // What hydrates the whole head finds none that it did not write.
  own.remove();
  function declared(name) {
    return keys.some(function (key) {
      return key.slice(-1) === "*" ? name.indexOf(key.slice(0, -1)) === 0 : name === key;
    });
  }
  ["localStorage", "sessionStorage"].forEach(function (kind) {
    // A sandbox or a setting of the browser refuses even to name it: then nothing lies there.
    try {
      var store = window[kind];
      Object.keys(store).filter(declared).forEach(function (name) { store.removeItem(name); });
    } catch (refused) { return; }
  });
})();
