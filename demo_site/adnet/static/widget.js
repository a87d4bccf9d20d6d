// Chatter: the widget that shows what strangers say, and tells strangers what you look at.
(function () {
  'use strict';
  var home = new URL(document.currentScript.src).origin;
  new Image().src = home + '/pixel.gif?via=widget&dl=' + encodeURIComponent(location.href);
  document.querySelectorAll('.chatter-reviews').forEach(function (place) {
    var face = document.createElement('img'), words = document.createElement('p'), name = document.createElement('span');
    face.src = home + '/avatar.svg?article=' + encodeURIComponent(place.dataset.article);
    face.width = face.height = 44;
    face.alt = '';
    words.textContent = '“Uses the dishwasher, survives my children. Would buy again.”';
    name.textContent = '★★★★★ Ilse, on Chatter';
    words.appendChild(name);
    place.append(face, words);
  });
})();
