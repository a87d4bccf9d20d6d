// Keeps the page fresh: takes the newest <main> from the server while nobody is selecting text in it.
(function () {
  'use strict';
  function refresh() {
    if (document.hidden || !getSelection().isCollapsed) { return; }
    fetch(location.pathname, { cache: 'no-store' }).then(function (answer) { return answer.text(); }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
      var shown = document.querySelector('main');
      if (fresh.dataset.state !== shown.dataset.state) { shown.replaceWith(fresh); }
    }).catch(function () { /* the demo was stopped */ });
  }
  setInterval(refresh, 1000);
})();
