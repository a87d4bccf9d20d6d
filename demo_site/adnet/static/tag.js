// Glimmer Tag Manager: does what such tags do, in every way they do it.
(function () {
  'use strict';
  var home = new URL(document.currentScript.src).origin;
  var layer = window.glimmerLayer || [];
  var uid = (document.cookie.match(/_gl_id=([0-9a-f]+)/) || [])[1] || Math.random().toString(16).slice(2, 14);
  document.cookie = '_gl_id=' + uid + '; path=/; max-age=31536000';
  try { localStorage.setItem('_gl_seen', String(Date.now())); } catch (refused) { /* storage is off */ }

  function about(via, more) {
    var told = new URLSearchParams({ via: via, uid: uid, dl: location.href, dt: document.title });
    layer.forEach(function (entry) {
      Object.keys(entry).forEach(function (key) { told.set(key, entry[key] === null ? '' : entry[key]); });
    });
    Object.keys(more || {}).forEach(function (key) { told.set(key, more[key]); });
    return told.toString();
  }

  new Image().src = home + '/pixel.gif?' + about('image');
  navigator.sendBeacon(home + '/collect?via=beacon', about('beacon'));
  fetch(home + '/collect?via=fetch', {
    method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true, body: about('fetch')
  }).catch(function () { /* blocked */ });

  var script = document.createElement('script');
  script.async = true;
  script.src = home + '/audience.js?' + new URLSearchParams({ via: 'script', uid: uid });
  document.head.appendChild(script);

  function placeFrame() {
    var frame = document.createElement('iframe');
    frame.hidden = true;
    frame.title = '';
    frame.src = home + '/embed/sync?' + new URLSearchParams({ via: 'iframe', uid: uid });
    document.body.appendChild(frame);
  }
  if (document.body) { placeFrame(); } else { addEventListener('DOMContentLoaded', placeFrame); }

  // What people do on the page: the forms they send, and their going away.
  document.addEventListener('submit', function (event) {
    var form = event.target;
    var sku = form.elements.namedItem('sku');
    var did = new URL(form.action).pathname + (sku ? ' ' + sku.value : '');
    navigator.sendBeacon(home + '/collect?via=submit', about('submit', { did: did }));
  }, true);
  addEventListener('pagehide', function () {
    navigator.sendBeacon(home + '/collect?via=pagehide', about('pagehide', { ms: Math.round(performance.now()) }));
  });
})();
