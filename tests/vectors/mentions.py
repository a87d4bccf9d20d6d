"""Snippets of a shop's page that mention a third party without contacting it."""

from __future__ import annotations

MENTIONS = {
    "text": "<p>We use https://ads.example/tag.js on some pages.</p>",
    "code": '<pre>&lt;script src="https://ads.example/tag.js"&gt;&lt;/script&gt;</pre>',
    "comment": '<!-- <script src="https://ads.example/tag.js"></script> -->',
    "conditional-comment": '<!--[if IE]><script src="https://ads.example/ie.js"></script><![endif]-->',
    "link": '<a href="https://ads.example/privacy">How they work</a>',
    "link-blank": '<a target="_blank" rel="noopener" href="https://ads.example/?a=1&amp;b=2">out</a>',
    "link-referrer": '<a href="/product/1?ref=https://ads.example/">a product</a>',
    "image-referrer": '<img src="/img/a.png?ref=https://ads.example/x" alt="a">',
    "image-encoded": '<img src="/resize?u=https%3A%2F%2Fads.example%2Fa.png" alt="a">',
    "image-path": '<img src="/cdn/https://ads.example/a.png" alt="a">',
    "image-alt": '<img src="/a.png" alt="as on https://ads.example/a.gif">',
    "image-title": '<img src="/a.png" title="url(https://ads.example/a.gif)" alt="">',
    "image-like-host": '<img src="/ads.example/a.png" alt="">',
    "own-host-in-query": '<script src="https://shop.example/app.js?next=//ads.example/"></script>',
    "form": '<form action="https://ads.example/subscribe" method="post"><button>go</button></form>',
    "input-value": '<input name="url" value="https://ads.example/a.gif">',
    "input-text-src": '<input type="text" data-src="https://ads.example/a.gif" value="x">',
    "textarea": '<textarea><img src="https://ads.example/a.gif"></textarea>',
    "title-attribute": '<p title="<img src=https://ads.example/a.gif>">hover</p>',
    "data-attribute": '<div data-config="{&quot;src&quot;:&quot;https://ads.example/a.js&quot;}"></div>',
    "option": '<select><option value="https://ads.example/">Ads</option></select>',
    "microdata": '<meta itemprop="image" content="https://ads.example/a.png">',
    "open-graph": '<meta property="og:image" content="https://ads.example/a.png">',
    "description": '<meta name="description" content="0;url=https://ads.example/">',
    "canonical": '<link rel="canonical" href="https://ads.example/product">',
    "alternate": '<link rel="alternate" hreflang="de" href="https://ads.example/de">',
    "author": '<link rel="author license" href="https://ads.example/about">',
    "linked-data": '<script type="application/ld+json">{"@type":"Product","image":"https://ads.exampl'
    'e/a.png","url":"https://ads.example/p"}</script>',
    "json": '<script type="application/json" id="state">{"next":"https://ads.example/a.js"}</script>',
    "template-text": '<script type="text/template"><img src="https://ads.example/a.gif"></script>',
    "script-comment": "<script>// https://ads.example/tag.js was here\nvar shop = 1;</script>",
    "script-block-comment": '<script>/* new Image().src = "https://ads.example/a.gif" */ var shop = '
    "2;</script>",
    "script-link": '<script>document.querySelector("a").href = "https://ads.example/privacy";</script>',
    "script-compare": '<script>if (document.referrer.startsWith("https://ads.example/")) { show(); '
    "}</script>",
    "script-list": '<script>var partners = ["https://ads.example/", "https://count.example/"];</script>',
    "script-state": '<script>window.state = {"page": "/", "seller": "https://ads.example/shop"};</script>',
    "script-text": '<script>document.title = "as seen on https://ads.example/";</script>',
    "script-own-fetch": '<script>fetch("/cart?ref=https://ads.example/");</script>',
    "script-own-beacon": '<script>navigator.sendBeacon("/log", "from https://ads.example/");</script>',
    "script-navigates": '<script>function go() { location.href = "https://ads.example/"; }</script>',
    "style-comment": "<style>/* url(https://ads.example/a.gif) */ p { margin: 0 }</style>",
    "style-string": '<style>p::after { content: "https://ads.example/a.gif" }</style>',
    "style-selector": '<style>a[href^="https://ads.example/"] { color: red }</style>',
    "style-own": "<style>p { background: url(/img/ads.example/a.png?ref=//ads.example) }</style>",
    "style-attribute": '<p style="background:url(/a.png?u=ads.example)">own</p>',
    "svg-namespace": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xli'
    'nk"></svg>',
    "svg-link": '<svg><a href="https://ads.example/"><text>out</text></a></svg>',
    "svg-fragment": '<svg><use href="#ads.example"/></svg>',
    "event-navigates": "<p onclick=\"location.href='https://ads.example/'\">out</p>",
    "event-share": "<p onclick=\"window.open('https://ads.example/share?u=' + location.href, 'share')\">share</p>",
    "event-own": '<img src="/a.png" alt="" onerror="this.src=\'/b.png?from=https://ads.example/a.png\'">',
    "event-text": "<p onclick=\"alert('as seen on https://ads.example/')\">where</p>",
    "quote": '<blockquote cite="https://ads.example/post"><p>Nice.</p></blockquote>',
    "edit": '<del cite="https://ads.example/why">gone</del>',
    "longdesc": '<img src="/a.png" alt="" longdesc="https://ads.example/long.html">',
    "mail": '<a href="mailto:hello@ads.example">mail</a>',
    "data-image": '<img alt="" src="data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E">',
    "noscript-text": "<noscript><p>Visit https://ads.example/ instead.</p></noscript>",
    "linked-data-graph": '<script type="application/ld+json">{"@context":"https://schema.org","@graph'
    '":[{"@type":"Organization","sameAs":["https://ads.example/shop","https://count.example/shop"],"l'
    'ogo":"https://ads.example/logo.png"}]}</script>',
    "import-map-name": '<script type="importmap">{"imports":{"https://ads.example/a.js":"/static/a.js"},"integrity":'
    '{"https://ads.example/a.js":"sha384-x"}}</script>',
    "import-map-own": '<script type="importmap">{"imports":{"a":"/static/a.js?from=ads.example"}}</script>',
    "style-commented-rule": "<style>/* .a { background: url('https://ads.example/a.png') } */ .b { "
    "color: red }</style>",
    "style-commented-import": "<style>/* @import 'https://ads.example/a.css'; */ p { margin: 0 }</style>",
    "style-commented-set": '<style>/* image-set("https://ads.example/a.png" 1x) */ p { background: '
    "url(/own.png) }</style>",
    "script-tag-layer": "<script>window.dataLayer = window.dataLayer || []; dataLayer.push({event: "
    "'share', target: 'https://ads.example/share', page: '/p/1'});</script>",
    "script-layer-ecommerce": "<script>dataLayer.push({ecommerce: {items: [{id: 1, image: "
    "'https://ads.example/img/1.png', link: 'https://ads.example/p/1'}]}});</script>",
    "script-share-links": "<script>document.querySelectorAll('.share').forEach(function (a) { a.href "
    "= 'https://ads.example/sharer?u=' + encodeURIComponent(location.href); });</script>",
    "script-share-popup": "<script>document.getElementById('tw').onclick = function () { "
    "window.open('https://ads.example/intent?url=' + encodeURIComponent(location.href), 'share', "
    "'width=600'); return false; };</script>",
    "script-share-markup": "<script>document.querySelector('.share').innerHTML = '<a "
    'href="https://ads.example/sharer?u=x">share</a><img src="/icons/share.svg" alt="">\';</script>',
    "script-share-table": "<script>var NETWORKS = {one: {name: 'One', url: "
    "'https://ads.example/a?u='}, two: {name: 'Two', url: 'https://count.example/b?u='}}; function "
    "share(n) { location.href = NETWORKS[n].url + encodeURIComponent(document.URL); }</script>",
    "script-csp-string": "<script>var policy = \"default-src 'self'; img-src https://ads.example "
    "https://count.example; script-src 'self'\"; fetch('/csp', {method: 'POST', body: "
    "policy});</script>",
    "script-allow-list": "<script>var ALLOWED = ['https://ads.example', 'https://pay.example']; "
    "window.addEventListener('message', function (e) { if (ALLOWED.indexOf(e.origin) < 0) { return; "
    "} fetch('/paid'); });</script>",
    "script-allow-set": "<script>const trusted = new Set(['https://ads.example', "
    "'https://shop.example']); function ok(u) { return trusted.has(new URL(u).origin); } "
    "fetch('/own');</script>",
    "script-block-list": "<script>const blocked = [/https:\\/\\/ads\\.example\\//, "
    "/https:\\/\\/count\\.example\\//]; const isBlocked = u => blocked.some(b => b.test(u)); "
    "fetch('/own.json').then(r => r.json());</script>",
    "script-referrer-test": "<script>if (/^https?:\\/\\/(www\\.)?ads\\.example\\//.test(document.referrer)"
    ") { document.body.classList.add('from-ads'); }</script>",
    "script-referrer-switch": "<script>switch (new URL(document.referrer || "
    "'https://none.invalid/').origin) { case 'https://ads.example': fetch('/hit?from=ads'); break; "
    "default: fetch('/hit'); }</script>",
    "script-referrer-source": "<script>var src = document.referrer.indexOf('https://ads.example/') "
    "=== 0 ? 'ads' : 'direct'; new Image().src = '/pixel.gif?s=' + src;</script>",
    "script-own-analytics": "<script>window.stats = {endpoint: '/collect', exclude: "
    "['https://ads.example/'], sample: 1}; navigator.sendBeacon(stats.endpoint, JSON.stringify({r: "
    "document.referrer, ex: 'https://ads.example/'}));</script>",
    "script-own-analytics-config": "<script>fetch('/config', {method: 'POST', headers: {'X-Docs': "
    "'https://ads.example/docs'}, body: JSON.stringify({origin: 'https://ads.example'})});</script>",
    "script-own-proxy": "<script>fetch('/proxy?url=https://ads.example/feed.json').then(r => "
    "r.json());</script>",
    "script-own-proxy-joined": "<script>fetch('/proxy?url=' + 'https://ads.example/feed.json');</script>",
    "script-own-proxy-encoded": "<script>fetch('/proxy?url=' + encodeURIComponent('https://ads.exampl"
    "e/feed.json'));</script>",
    "script-own-redirect": "<script>var u = '/out?to=https://ads.example/p'; "
    "document.querySelector('.out').setAttribute('href', u);</script>",
    "script-service-worker": "<script>// caching as on https://ads.example/pwa-guide\nif "
    "('serviceWorker' in navigator) { navigator.serviceWorker.register('/sw.js').catch(function (e) "
    "{ console.error('see https://ads.example/help', e); }); }</script>",
    "script-price-feed": "<script>fetch('/api/prices').then(function (r) { return r.json(); "
    "}).then(function (feed) { feed.items.forEach(function (i) { i.source = 'https://ads.example/p/' "
    "+ i.id; }); });</script>",
    "script-price-state": '<script>window.__INITIAL_STATE__ = {"products":[{"id":1,"url":"https://ads'
    '.example/p/1","image":{"src":"https://ads.example/i/1.png","alt":"one"}}],"next":null};</script>',
    "script-state-parsed": '<script>window.STATE = JSON.parse(\'{"seller":"https:\\\\/\\\\/ads.example\\\\/'
    'shop","id":7}\');</script>',
    "script-state-escaped": '<script>window.STATE = {"seller":"https:\\/\\/ads.example\\/shop","text":"\\'
    'u003ca href=https://ads.example/\\u003e"};</script>',
    "script-error-text": "<script>window.onerror = function (m) { fetch('/errors', {method: 'POST', "
    "body: m + ' (report at https://ads.example/issues)'}); };</script>",
    "script-error-thrown": "<script>function need(x) { if (!x) { throw new "
    "Error('https://ads.example/docs/missing-key: no key given'); } } need(1); fetch('/a');</script>",
    "script-console-warning": "<script>console.warn('https://ads.example/ is blocked by your "
    "settings'); document.createElement('div');</script>",
    "script-licence-comment": "<script>/*! widget v1.2 | (c) Ads | https://ads.example/license\n * "
    'docs: <script src="https://ads.example/w.js"><\\/script>\n */\n(function () { var s = '
    "document.createElement('span'); document.body.appendChild(s); })();</script>",
    "script-commented-out-loader": "<script>// var s = document.createElement('script'); s.src = "
    "'https://ads.example/tag.js'; document.head.appendChild(s);\nvar ready = true;</script>",
    "script-commented-out-option": "<script>var app = {\n  // cdn: 'https://ads.example/lib/',\n  cdn: "
    "'/lib/', /* was \"https://count.example/lib/\" */\n};\nvar s = document.createElement('script'); "
    "s.src = app.cdn + 'a.js'; document.head.appendChild(s);</script>",
    "script-source-map-comment": "<script>document.title = 'Shop';\n//# sourceMappingURL=https://ads.e"
    "xample/maps/app.js.map</script>",
    "script-copy-snippet": "<script>var code = '<script src=\"https://ads.example/embed.js\"></scr' + "
    "'ipt>'; document.querySelector('.copy').onclick = function () { "
    "navigator.clipboard.writeText(code); };</script>",
    "script-placeholder": "<script>document.querySelector('input[name=site]').placeholder = "
    "'https://ads.example/you';</script>",
    "script-link-rel": "<script>var l = document.createElement('link'); l.rel = 'canonical'; "
    "l.setAttribute('data-x', '1'); document.title = 'https://ads.example/'; "
    "document.head.append(l);</script>",
    "script-anchor-made": "<script>var a = document.createElement('a'); a.href = "
    "'https://ads.example/shop'; a.textContent = 'our shop'; document.body.append(a); var i = new "
    "Image(); i.src = '/a.png';</script>",
    "script-text-node": "<script>document.body.append(document.createTextNode('as seen on "
    "https://ads.example/ and elsewhere'));</script>",
    "script-message-origin": "<script>frames.length && parent.postMessage({ready: true}, "
    "'https://ads.example');</script>",
    "script-url-parts": "<script>var host = new URL('https://ads.example/x').host; if (location.host "
    "=== host) { fetch('/same'); }</script>",
    "script-consent-texts": "<script>window.cookieTexts = {marketing: 'We use Ads "
    "(https://ads.example/privacy) to show you things you like.', more: '<a "
    'href="https://ads.example/privacy">more</a>\'};</script>',
    "script-worker-comment": "<script>new Worker(URL.createObjectURL(new "
    'Blob(["//https://ads.example/worker.js\\npostMessage(1)"])));</script>',
    "script-beacon-of-page": "<script>navigator.sendBeacon('/log', new URLSearchParams({page: "
    "location.href, partner: 'https://ads.example/'}));</script>",
    "script-dialog": "<script>if (confirm('You leave for https://ads.example/ now. Go on?')) { "
    "location.assign('https://ads.example/'); }</script>",
    "script-ajax-data": "<script>jQuery.ajax({url: '/api/track', data: {ref: "
    "'https://ads.example/'}, method: 'POST'});</script>",
    "script-markup-with-text": "<script>document.querySelector('.help').innerHTML = '<p>See "
    'https://ads.example/help</p><img src="/help.png" alt="">\';</script>',
}
