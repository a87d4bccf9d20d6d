"""Inline scripts: what loads from a held host is held, what only names one works on."""

from __future__ import annotations

import random

import pytest

from cookieguard.html import Ruling, Url
from cookieguard.html.glances import loaded_host
from cookieguard.html.scripts import held_hosts, loads_held

# Written in the shapes of the loaders in the wild: tag managers, pixels, heat maps, chats, players.
LOADS = [
    # a division, not a regular expression that hides what is behind it
    "var g=it.return/2,f=document.createElement('iframe');f.src='https://ads.example/a';g=1/2;",
    "var $return=8,g=$return/2;f.src='https://ads.example/a';g=1/2;",
    'w = total\n  / 2; f.src = "//ads.example/a"; h = 3\n / 2;',
    "class A{constructor(u){f.src=u}} class S{constructor(u){this.u=u}} new A('//ads.example/')",
    "class A{m(){class B{}} constructor(u){f.src=u}} new A('//ads.example/')",
    "class P{constructor(u){f.src=u}} class A extends P{constructor(u){super(u)}} new A('//ads.example/')",
    "class A{constructor(u){this.u=u}} {class A{constructor(u){f.src=u}} new A('//ads.example/')}",
    "const u=`https://${'x'+location.host}/`;f.src='ads.example/'",
    "(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'s':1});var f=d.getElementsByTagName(s)[0],j=d.createElement(s),dl=l!='dataLayer'?'&l='+l:'';j.async=true;j.src='https://tags.example/gtm.js?id='+i+dl;f.parentNode.insertBefore(j,f);})(window,document,'script','dataLayer','X-1');",
    "!function(f,b,e,v,n,t,s){if(f.fbq)return;n=f.fbq=function(){n.callMethod?n.callMethod.apply(n,arguments):n.queue.push(arguments)};if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';n.queue=[];t=b.createElement(e);t.async=!0;t.src=v;s=b.getElementsByTagName(e)[0];s.parentNode.insertBefore(t,s)}(window, document,'script','https://connect.social.example/en/ev.js');",  # noqa: E501
    "(function(h,o,t,j,a,r){h.hj=h.hj||function(){(h.hj.q=h.hj.q||[]).push(arguments)};h._s={id:1,sv:6};a=o.getElementsByTagName('head')[0];r=o.createElement('script');r.async=1;r.src=t+h._s.id+j+h._s.sv;a.appendChild(r);})(window,document,'https://static.heat.example/c/h-','.js?sv=');",
    "var _paq=window._paq=window._paq||[];_paq.push(['trackPageView']);(function(){var u=\"//stats.example/\";_paq.push(['setTrackerUrl',u+'m.php']);var d=document,g=d.createElement('script'),s=d.getElementsByTagName('script')[0];g.async=true;g.src=u+'m.js';s.parentNode.insertBefore(g,s);})();",  # noqa: E501
    "!function(w,d,t){w.T=t;var q=w[t]=w[t]||[];q.load=function(e,n){var r='https://an.tok.example/i18n/ev.js',o=n&&n.p;q._i=q._i||{};n=d.createElement('script');n.type='text/javascript';n.async=!0;n.src=r+'?sdkid='+e+'&lib='+t;e=d.getElementsByTagName('script')[0];e.parentNode.insertBefore(n,e)};q.load('A');q.page()}(window,document,'tq');",
    "var ga=document.createElement('script');ga.src=('https:'==document.location.protocol?'https://ssl':'http://www')+'.stats.example/ga.js';var s=document.getElementsByTagName('script')[0];s.parentNode.insertBefore(ga,s);",  # noqa: E501
    "var h=(('https:'==document.location.protocol)?'https://ssl.':'http://www.');document.write(unescape(\"%3Cscript src='\"+h+\"stats.example/ga.js' type='text/javascript'%3E%3C/script%3E\"));",  # noqa: E501
    "new Image().src='https://pix.example/p.gif?u='+encodeURIComponent(location.href)",
    "var i=new Image;\ni.src = `https://pix.example/p?x=${Math.random()}`;",
    "navigator.sendBeacon('https://b.example/c', data)",
    "fetch(`https://api.t.example/${id}`)",
    "const cfg={endpoint:'https://c.example/x'};\nfunction send(e){navigator.sendBeacon(cfg.endpoint,JSON.stringify(e))}",  # noqa: E501
    "var x=new XMLHttpRequest();x.open('POST','https://c.example/x',true);x.send()",
    "import('https://m.example/x.js').then(m=>m.go())",
    "import x from 'https://m.example/x.js'; x()",
    "const h='v.ads.example';f.src=`https://${h}/e`",
    "f.contentWindow.navigation.navigate('https://v.example/e')",
    "document.execCommand('insertHTML',false,'<iframe src=//v.example/e></iframe>')",
    "class W{constructor(u,e){this.u=u}show(){f.src=this.u}}\nnew W('https://v.example/e',1).show()",
    "new RTCPeerConnection({iceServers:[{urls:'stun:'+h}]});var h='stun.v.example:3478'",
    "const h='stun.v.example';new RTCPeerConnection({iceServers:[{urls:`stun:${h}:3478`}]})",
    "const cfg={host:'v.example'};new RTCPeerConnection({iceServers:[{urls:'turn:'+cfg.host}]})",
    "var h=own?x:y;h='v.example:80';new RTCPeerConnection({iceServers:[{urls:'stun:'+(h||own)+':3478'}]})",
    "new RTCPeerConnection({iceServers:[{urls:'stun:'+'v.example'+':3478'}]})",
    "navigator.credentials.get({publicKey:{challenge,rpId:'v.example'}})",
    'o.rpId = "v.example"; navigator.credentials.get({publicKey: o})',
    'o["rpId"] = "v.example"; navigator.credentials.get({publicKey: o})',
    'o.rpId ||= "v.example"; navigator.credentials.get({publicKey: o})',
    'var host = "v.example"; navigator.credentials.get({publicKey: {challenge, rpId: host}})',
    'host = "v.example"; navigator.credentials.create({publicKey: {rp: {name: "a", id: host}}})',
    "navigator.credentials.create({publicKey:{rp:{name:'V',id:'v.example'},challenge}})",
    "PublicKeyCredential.signalUnknownCredential({rpId:'v.example',credentialId:'a'})",
    "d.append(Object.assign(d.createElement('script'),{type:'speculationrules',textContent:JSON.stringify({prefetch:[{urls:['https://v.example/']}]})}))",
    "h.append(Object.assign(d.createElement('meta'),{httpEquiv:'refresh',content:'0;url=https://v.example/'}))",
    "window.PublicKeyCredential?.signalAllAcceptedCredentials({rpId:'v.example',userId:'a'})",
    f"var s='{'x' * 140_000}';document.write('<iframe src=//v.example/e></iframe>')",
    f"var s={[1] * 50_000};f=document.createElement('iFrame');f.src='//v.example/e'",
    f"var s={[1] * 50_000};document.write('<iframe src=//v.example/e></iframe>')",
    "window['_fs_host']='story.example';window['_fs_script']='edge.story.example/s/fs.js';(function(m,n,e,t){var o=n.createElement(t);o.async=1;o.src='https://'+_fs_script;var y=n.getElementsByTagName(t)[0];y.parentNode.insertBefore(o,y);})(window,document,window['_fs_x'],'script');",  # noqa: E501
    "document.write('<scr'+'ipt src=\"//ads.example/x.js\"></scr'+'ipt>')",
    "document.write('<iframe src=\"https://1.fls.example/act;x='+a+'?\" width=1></iframe>')",
    "el.innerHTML='<img src=\"https://pix.example/p\">'",
    "el.insertAdjacentHTML('beforeend','<iframe src=\"https://v.example/e/1\"></iframe>')",
    "$.getScript('https://w.example/w.js')",
    "$('<iframe src=\"https://v.example/e/1\"></iframe>').appendTo('#video')",
    "var u='https://v.example/e/1';jQuery( `<iframe src='${u}' allowfullscreen></iframe>` ).insertAfter(el)",
    "$('.video').after('<iframe src=\"https://v.example/e/1\"></iframe>')",
    "$(this).replaceWith('<iframe src=\"https://v.example/e/'+id+'\"></iframe>')",
    "(function(d,s,id){var js,fjs=d.getElementsByTagName(s)[0];if(d.getElementById(id))return;js=d.createElement(s);js.id=id;js.src='//connect.soc.example/sdk.js#x';fjs.parentNode.insertBefore(js,fjs);}(document,'script','sdk'));",  # noqa: E501
    "function loadScript(u){var s=document.createElement('script');s.src=u;document.head.appendChild(s)}\nloadScript('https://cdn.w.example/l.js');",
    "function add(u){var s=document.createElement('script');s.src=u;document.head.appendChild(s)}\nadd('https://cdn.w.example/l.js');",
    "const add=(u,cb)=>{const s=document.createElement('script');s.src=u;s.onload=cb;document.head.append(s)};add('https://cdn.w.example/l.js',()=>{});",
    "['https://a.example/1.js','https://a.example/2.js'].forEach(function(u){var s=document.createElement('script');s.src=u;document.body.appendChild(s)})",  # noqa: E501
    "const urls=['https://a.example/1.js'];for(const u of urls){const s=document.createElement('script');s.src=u;document.body.appendChild(s)}",  # noqa: E501
    "var l=document.createElement('link');l.rel='stylesheet';l.href='https://fonts.t.example/css?family=X';document.head.appendChild(l);",
    "var s=document.createElement('script');s.setAttribute('src','https://w.example/a.js');document.head.appendChild(s)",
    "!function(e){if(!window.pk){window.pk=function(){window.pk.queue.push(arguments)};var n=window.pk;n.queue=[];var t=document.createElement('script');t.async=!0,t.src=e;var r=document.getElementsByTagName('script')[0];r.parentNode.insertBefore(t,r)}}('https://s.pin.example/core.js');",  # noqa: E501
    "(function(w,d,t,r,u){var f,n,i;w[u]=w[u]||[],f=function(){var o={ti:'1'};o.q=w[u],w[u]=new UET(o)},n=d.createElement(t),n.src=r,n.async=1,n.onload=f,i=d.getElementsByTagName(t)[0],i.parentNode.insertBefore(n,i)})(window,document,'script','//bat.b.example/bat.js','uetq');",  # noqa: E501
    "(function(m,e,t,r,i,k,a){m[i]=m[i]||function(){(m[i].a=m[i].a||[]).push(arguments)};k=e.createElement(t),a=e.getElementsByTagName(t)[0],k.async=1,k.src=r,a.parentNode.insertBefore(k,a)})(window,document,'script','https://mc.y.example/tag.js','ym');",
    "!function(){var analytics=window.analytics=window.analytics||[];analytics.load=function(key,e){var t=document.createElement('script');t.type='text/javascript';t.async=!0;t.src='https://cdn.seg.example/analytics.js/v1/'+key+'/analytics.min.js';var n=document.getElementsByTagName('script')[0];n.parentNode.insertBefore(t,n)};analytics.load('k')}();",  # noqa: E501
    "var cfg = {\n  src: 'https://w.example/a.js'\n};\nboot(cfg); function boot(c){ var s=document.createElement('script'); s.src=c.src }",  # noqa: E501
    "(function(){var w=window;var l=function(){var s=document.createElement('script');s.async=true;s.src='https://widget.chat.example/widget/abc';var x=document.getElementsByTagName('script')[0];x.parentNode.insertBefore(s,x);};if(document.readyState==='complete'){l();}else{w.addEventListener('load',l,false);}})();",  # noqa: E501
    "function url(){return 'https://t.example/collect'}\nfetch(url(),{method:'POST'})",
    "new WebSocket('wss://live.example/s')",
    "var b='https:\\/\\/t.example\\/x';var i=document.createElement('img');i.src=b;",
    "el.style.backgroundImage='url(https://t.example/a.png)'",
    "jQuery.ajax({\n url: 'https://t.example/api',\n dataType:'jsonp'})",
    "$('#x').load('https://t.example/f.html')",
    "(function(d){var s=d.createElement('script'),p={src:'https://t.example/x.js',async:true};Object.assign(s,p);d.head.appendChild(s)})(document)",
    "var h='cdn.w.example',p='https://'+h+'/x.js';var s=document.createElement('script');s.src=p;document.head.appendChild(s);",  # noqa: E501
    "!(function(){function r(n){this.url=n}\nvar q=new r('https://t.example/x.js');var s=document.createElement('script');s.src=q.url;})()",  # noqa: E501
]

LOADERS = {
    "a manager that names its layer": "(function (win, doc, layer, id) { win[layer] = win[layer] || []; "
    "win[layer].push({start: Date.now()}); var first = doc.getElementsByTagName('script')[0], tag = "
    "doc.createElement('script'); tag.async = true; tag.src = 'https://tags.example/m.js?id=' + id; "
    "first.parentNode.insertBefore(tag, first); })(window, document, 'layer', 'X-1');",
    "a manager that is given its address": "!function(a,b,c){var d=b.createElement('script');d.async=1;d.src=c+'?v=2';"
    "(b.head||b.body).appendChild(d)}(window,document,'https://tags.example/m.js');",
    "a manager over two lines": "var el = document.createElement('script');\nel.async = true;\nel.src =\n"
    "  'https://tags.example/m.js';\ndocument.head.appendChild(el);",
    "a pixel": "(new Image(1, 1)).src = 'https://pixel.example/t?e=view&u=' + encodeURIComponent(location.href);",
    "a pixel by a helper": "var pix = {send: function (e) { var i = new Image(); i.src = this.base + e; }, "
    "base: 'https://pixel.example/t?e='}; pix.send('view');",
    "a pixel that waits": "window.addEventListener('load', function () { setTimeout(function () { var i = "
    "document.createElement('img'); i.width = 1; i.setAttribute('src', '//pixel.example/t'); "
    "document.body.appendChild(i); }, 2000); });",
    "a pixel in markup": "document.body.insertAdjacentHTML('beforeend', '<img width=1 src=\"https://pixel.example/t?' "
    "+ Date.now() + '\">');",
    "a chat": "window.Chat = window.Chat || function () { (Chat.q = Chat.q || []).push(arguments); }; Chat('init', "
    "{team: 7}); (function () { function start() { var s = document.createElement('script'); s.src = "
    "'https://chat.example/widget/7.js'; document.body.appendChild(s); } if (document.readyState === 'complete') "
    "{ start(); } else { window.attachEvent ? attachEvent('onload', start) : addEventListener('load', start); } })();",
    "a chat by its settings": "window.chatSettings = {base: 'https://chat.example', team: 7};\n(function (s) { var e = "
    "document.createElement('script'); e.src = s.base + '/w.js?t=' + s.team; document.head.appendChild(e); "
    "})(window.chatSettings);",
    "a chat in a frame": "var f = document.createElement('iframe'); f.title = 'chat'; f.src = "
    "'https://chat.example/box'; document.body.appendChild(f);",
    "a split test": "var code = (function () { var t = 2000; return {init: function () { "
    "this.load('https://split.example/j.php?a=1&u=' + encodeURIComponent(document.URL)); }, load: function (u) { var b "
    "= document.createElement('script'); b.src = u; b.type = 'text/javascript'; "
    "document.getElementsByTagName('head')[0].appendChild(b); }}; })(); code.init();",
    "a split test that blocks": "document.write('<script src=\"https://split.example/' + id + '.js\"><\\/script>');",
    "a heat map": "(function(h,e,a,t){h.q=h.q||[];a=e.createElement('script');a.async=1;a.src=t;"
    "e.head.appendChild(a)})(window,document,0,'https://heat.example/h.js');",
    "statistics by a queue": "var _q = window._q = window._q || []; _q.push(['view']); (function () { var base = "
    "'https://stats.example/'; _q.push(['url', base + 'hit']); var s = document.createElement('script'); s.src = base "
    "+ 'a.js'; document.head.appendChild(s); })();",
    "statistics by a beacon": "const ENDPOINT = 'https://stats.example/hit'; addEventListener('pagehide', () => "
    "navigator.sendBeacon(ENDPOINT, JSON.stringify({u: location.href})));",
    "statistics by fetch": "const hit = (name, more) => fetch(`https://stats.example/hit?n=${name}`, {method: 'POST', "
    "keepalive: true, body: JSON.stringify(more)}); hit('view', {});",
    "statistics by a request": "function post(path, body) { var x = new XMLHttpRequest(); x.open('POST', "
    "'https://stats.example' + path); x.send(body); } post('/hit', '1');",
    "a module": "import { init } from 'https://stats.example/sdk.mjs';\ninit({key: 'k'});",
    "a module for its effects": "'use strict';\nimport 'https://stats.example/sdk.mjs';",
    "a module on demand": "if (visitor) { const sdk = await import('https://stats.example/sdk.mjs'); sdk.go(); }",
    "an options object": "$.ajax({type: 'GET', cache: true, url: 'https://stats.example/x.js', dataType: 'script'});",
    "a loader with options": "loadScript({name: 'w', attrs: {id: 1}, from: 'https://widget.example/w.js'});",
    "a list of scripts": "const SCRIPTS = [\n  '/own.js', // ours\n  'https://widget.example/a.js',\n];\n"
    "SCRIPTS.forEach((src) => { const s = document.createElement('script'); s.src = src; document.head.append(s); });",
    "a script by its properties": "document.head.appendChild(Object.assign(document.createElement('script'), "
    "{async: true, src: 'https://widget.example/w.js'}));",
    "a protocol of the page's": "var p = document.location.protocol === 'https:' ? 'https://' : 'http://'; var s = "
    "document.createElement('script'); s.src = p + 'widget.example/w.js'; document.body.appendChild(s);",
    "a font": "var l = document.createElement('link'); l.rel = 'stylesheet'; l.href = 'https://fonts.example/css?f=A'; "
    "document.head.appendChild(l);",
    "a hint": "['preconnect'].forEach(function (rel) { var l = document.createElement('link'); l.rel = rel; l.href = "
    "'https://fonts.example'; document.head.appendChild(l); });",
    "a video in a template": "document.querySelector('.v').innerHTML = `<iframe src=\"https://video.example/e/${id}\" "
    "allowfullscreen></iframe>`;",
    "a worker made of text": "new Worker(URL.createObjectURL(new Blob(['importScripts(\"https://w.example/w.js\")'])));",
    "a comment before it": "/* the tag of https://docs.example/ */ // as of today\nnew Image().src = "
    "'https://pixel.example/t';",
    "a relay of peers": "new RTCPeerConnection({iceServers: [{urls: ['stun:stun.example:3478']}]});",
    "a relay that needs a password": "var ice = {iceServers: [{urls: 'turns:turn.example', username: 'u'}]};",
    "rules for the browser": "const rules = {prerender: [{source: 'list', urls: ['https://next.example/p']}]}; var s = "
    "document.createElement('script'); s.type = 'speculationrules'; s.textContent = JSON.stringify(rules); "
    "document.head.append(s);",
    "rules as text": "var s = document.createElement('script'); s.type = 'speculationrules'; s.text = "
    '\'{"prefetch":[{"urls":["https://next.example/p"]}]}\'; document.head.append(s);',
    "a refresh": "var m = document.createElement('meta'); m.setAttribute('http-equiv', 'refresh'); "
    "m.setAttribute('content', '3; url=https://next.example/'); document.head.append(m);",
    "a frame in a variable": "var html = '<iframe src=\"https://video.example/e/1\"></iframe>';\n"
    "document.querySelector('.v').innerHTML = html;",
    "a frame around an address": "var u = 'https://video.example/e/1', html = '<iframe src=\"' + u + '\"></iframe>'; "
    "$('.v').html(html);",
    "a frame put together": "var out = []; out.push('<div>'); out.push('<iframe src=\"https://video.example/e/1\">'); "
    "out.push('</iframe></div>'); document.write(out.join(''));",
    "a frame that is returned": "function made(id) { return '<iframe src=\"https://video.example/e/' + id + '\">'; }\n"
    "$('.v').append(made(1));",
    "a frame around an address that is returned": 'const player = (u) => { return `<iframe src="${u}"></iframe>`; };\n'
    "$('.v').append(player('https://video.example/e/1'));",
    "a frame handed on": "function put(html) { document.body.insertAdjacentHTML('beforeend', html); }\n"
    "put('<iframe src=\"https://video.example/e/1\"></iframe>');",
    "a frame in a table": "var templates = {video: '<iframe src=\"https://video.example/e/1\"></iframe>'}; "
    "box.innerHTML = templates.video;",
    "a frame made of a variable": "var html = '<iframe src=\"https://video.example/e/1\">'; $(html).appendTo('.v');",
    "a frame known as an address before": "var u = 'https://video.example/e/1'; var box = u; link.href = box; "
    "box = '<iframe src=\"' + u + '\">'; document.write(box);",
    "a refresh in markup": 'var m = \'<meta http-equiv="refresh" content="1;url=https://next.example/">\'; '
    "document.write(m);",
    "a frame by jQuery": "$('<iframe>').attr('src', 'https://video.example/e/1').appendTo('.v');",
    "a frame by jQuery's properties": "var u = 'https://video.example/'; $('<iframe/>').prop('src', u).appendTo('.v');",
    "a frame by jQuery behind blanks": r"$('\n\t<iframe src=\"https://video.example/e/1\"></iframe>').appendTo('.v');",
    "a frame by jQuery with an escape": r"$('\x3ciframe src=\"https://video.example/e/1\"\x3e').appendTo('.v');",
    "a frame by jQuery under another name": "var $j = jQuery.noConflict(); "
    "$j('<iframe src=\"https://video.example/e/1\">').appendTo('.v');",
    "a frame by jQuery's parser": "var made = $.parseHTML('<iframe src=\"https://video.example/e/1\">'); "
    "$('.v').append(made);",
    "a frame around all": "$('.v').wrapAll('<div><iframe src=\"https://video.example/e/1\"></iframe></div>');",
    "a frame around each": "$('.v').wrap('<iframe src=\"https://video.example/e/1\">').wrapInner('<p>');",
    "a frame within each": "$('.v').wrapInner('<p><iframe src=\"https://video.example/e/1\">');",
    "a frame added": "$('.v').add('<iframe src=\"https://video.example/e/1\">').appendTo('body');",
    "a frame by the browser's parser": "box.append(Document.parseHTMLUnsafe("
    "'<iframe src=\"https://video.example/e/1\">').body.firstChild);",
    "a frame by a name in quotes": "document['write']('<iframe src=\"https://video.example/e/1\">');",
    "a frame with a comment in between": "frame./* the player */src /* of */ = 'https://video.example/e/1';",
    "a frame that goes elsewhere": "frame.contentWindow.location = 'https://video.example/e/1';",
    "a frame that is sent elsewhere": "frame.contentWindow.location.replace('https://video.example/e/1');",
    "a frame that goes elsewhere by its document": "frame.contentDocument.location.href = 'https://video.example/';",
    "a frame of the window": "window.frames['player'].location.assign('https://video.example/e/1');",
    "a frame of the window by its name": "frames.player.location = 'https://video.example/e/1';",
    "a hint by its options": "document.head.append(Object.assign(document.createElement('link'), "
    "{rel: 'preconnect', href: 'https://fonts.example'}));",
    "a hint by a helper": "function make(name, options) { var e = document.createElement(name); for (var k in options) "
    "e.setAttribute(k, options[k]); return e; }\n"
    "document.head.append(make('link', {rel: 'preconnect', href: 'https://fonts.example'}));",
    "a hint by jQuery": "$('<link rel=\"preconnect\">').attr('href', 'https://fonts.example').appendTo('head');",
    "a form that is sent into a frame": "var f = document.createElement('form'); f.method = 'post'; f.target = 'x'; "
    "f.setAttribute('action', 'https://stats.example/hit'); document.body.append(f); f.submit();",
}

# A shop's own scripts, which name somebody without loading from there.
NAMES = [
    'const api=`https://${api_host}/api`;img.src="logo.png";new Worker("worker.js");fetch("data.json")',
    'new WebSocket(`wss://${location.host}/ws`);$("#x").load("cart.html");import("chunk.abc.js")',
    'const at=`https://${window.location.hostname}/a`;i18n.load("cart.title");fetch("shop.cart")',
    'var state={"stripe":{"publicKey":"pk_live_1"},"erp":{"sync":true,"id":"sap-42.example"}}',
    'var state={"publicKey":"BIPUL12","corp":{"name":"Acme","id":"1042"},"rp":{"id":"row-17"}}',
    "x=Object.assign({},y,{textContent:'https://v.example/',content:'https://v.example/',action:'//v.example/'});f.submit()",
    'var state={"stripePublicKey":"pk_1","rp":{"id":"row-17"},"home":"https://v.example/"}',
    "const rsaPublicKey='MIIB'; const app={rp:{kind:'x',id:'tab.pane'}}",
    "window.PublicKeyCredential&&go(); var rp={id:'com.app.name',x:1}",
    "$('meta[property]').attr({content:'https://v.example/i.png'}); grid.refresh(); var e='equivalent';",
    "PublicKeyCredential.signalUnknownCredential({rpId:'shop.example',credentialId:'a'});a.href='https://v.example/'",
    "class P{constructor(src){const i=new Image();i.src=src}} class S{constructor(u){this.u=u}} new S('https://v.example/')",
    "navigator.credentials.get({publicKey:{challenge,rpId:'shop.example'}});a.href='https://v.example/'",
    "location='//v.example/';navigator.credentials.get({publicKey:{challenge,rpId:location.hostname}})",
    "var host='shop.example',b='v.example';navigator.credentials.get({publicKey:{challenge,rpId:host}});a.title=b",
    "var m={host:'cart.title'};function f(host,c){navigator.credentials.get({publicKey:{challenge:c,rpId:host}})}",
    "function a(){var t='www.v.example';l.title=t}function f(t,c){navigator.credentials.get({publicKey:{rpId:t}})}",
    "let f=({rpId:e,challenge:n})=>navigator.credentials.get({publicKey:{rpId:e,challenge:n}}),t={e:'error.network'}",
    "icons='v.example';navigator.credentials.get({publicKey:{challenge,rpId:icons?.rpId}})",
    "icons='v.example';navigator.credentials.get({publicKey:{challenge,rpId:icons||location.hostname}})",
    """window.cfg={"publicKey":"pk_1","host":"api.v.example"};function f(host){return {rpId:host}}""",
    "new RTCPeerConnection({iceServers:[{urls:'stun:'+location.host}]});a.href='https://v.example/'",
    "var h=location.host,t='app.main';new RTCPeerConnection({iceServers:[{urls:'stun:'+h}]});i18n.t('cart.title')",
    "function p(h){new RTCPeerConnection({iceServers:[{urls:'stun:'+h}]})}t('cart.title')",
    "new RTCPeerConnection({iceServers:[{urls:`turn:${h}`}]});var v='v1.2.beta',i={src:'image.png'};go('app.main')",
    "router.navigate('https://v.example/');navigation.navigate('https://v.example/')",
    "class W{constructor(u){this.u=u}}\nvar w=new W('https://v.example/');f.title=w.u",
    "const h='v.example';a.href=`https://${h}/e`;f.src=`/own?to=${h}`",
    "const h='v.example';a.href=`https://${h}/e`;f.src=`/own?a=${a}&to=${h}`",
    f"var s='{'x' * 140_000}';a.href='https://v.example/';document.write('<iframe src=/own></iframe>')",
    "var code='<iframe src=\"https://video.example/e/1\">'; box.value=code; $('.code').text(code); fetch('/copied')",
    "var code='<iframe src=\"https://video.example/e/1\">'; copy.onclick=()=>navigator.clipboard.writeText(code);new Image().src='/a.png'",  # noqa: E501
    "var code='<iframe src=\"https://video.example/e/1\">'; box.value=code; nav.innerHTML='<a href=\"/x\">x</a>'",
    "var html='<a href=\"https://soc.example/\">x</a>';nav.innerHTML=html+'<iframe src=\"/own\"></iframe>'",
    "$('.v').attr('data-share','https://soc.example/').prop('title','see https://soc.example/')",
    "$('a.soc').attr('href','https://soc.example/').attr('target','_blank')",
    "location.replace('https://pay.example/');window.location.href='https://pay.example/';fetch('/order')",
    "parent.location='https://pay.example/';document.location.assign('https://pay.example/');frame.contentWindow.focus()",
    "document['title']='https://soc.example/';list['push']('https://soc.example/')",
    "new Set().add('https://soc.example/');box.classList.add('x');new Image().src='/a.png'",
    "React.createElement('a',{href:'https://soc.example/',rel:'noopener'},'x');fetch('/x')",
    "wrap('https://soc.example/');$('p').wrap('<a href=\"https://soc.example/\"></a>')",
    "fetch('/api/cart').then(r=>r.json()).then(c=>{n.textContent=c.n});const links=['https://facebook.com/shop','https://instagram.com/shop'];links.forEach(u=>{const a=document.createElement('a');a.href=u;a.textContent='x';nav.append(a)});",  # noqa: E501
    "const links=['https://facebook.com/shop'];nav.innerHTML=links.map(u=>`<a href=\"${u}\">x</a>`).join('');fetch('/api/cart')",  # noqa: E501
    "nav.innerHTML='<a href=\"https://facebook.com/shop\">us</a>'; new Image().src='/local.png'",
    "var s=document.createElementNS('http://www.w3.org/2000/svg','svg'); s.setAttribute('width',1); box.appendChild(s)",
    "// see https://docs.example/api\nfetch('/cart')",
    "/* https://docs.example/api */ document.createElement('div')",
    "if(document.referrer.indexOf('https://google.example')===0){fetch('/r')}",
    "window.addEventListener('message',e=>{if(e.origin!=='https://pay.example')return;fetch('/paid')})",
    "btn.onclick=function(){location.href='https://pay.example/checkout';};fetch('/api/order')",
    "btn.onclick=()=>window.open('https://twitter.example/share?u='+encodeURIComponent(location.href));var i=new Image();i.src='/x.png'",  # noqa: E501
    "var shop={social:{facebook:'https://facebook.com/shop',insta:'https://instagram.com/shop'}};document.querySelectorAll('.s').forEach(a=>a.href=shop.social[a.dataset.n]);fetch('/api/cart')",
    "const a=document.createElement('a');a.setAttribute('href','https://soc.example/s');document.body.append(a);fetch('/x')",
    'window.__STATE__={"url":"https:\\/\\/soc.example\\/a","n":1};var s=document.createElement(\'script\');s.src=\'/static/app.js\';document.head.append(s)',  # noqa: E501
    "var l=document.createElement('link');l.rel='stylesheet';l.href='/own.css';var a=document.createElement('a');a.href='https://soc.example/x';",
    "document.write('<a href=\"https://soc.example/\">x</a>')",
    "$('<a href=\"https://soc.example/\">x</a>').appendTo('#links')",
    "$('iframe[src=\"https://v.example/e/1\"]').hide()",
    "$('a[href^=\"https://soc.example/\"]').after('<span class=\"out\"></span>')",
    "//console.log(x)\nfetch('/a')",
    "var u='https://soc.example/profile';var a=document.createElement('a');a.href=u;var img=document.createElement('img');img.src='/a.png';a.appendChild(img)",  # noqa: E501
    "fetch('/api/share',{method:'POST',body:JSON.stringify({n:1})});document.title='x // y.example/z'",
    "const cart={items:[]};cart.profile='https://soc.example/me';async function load(){const r=await fetch('/api/cart');cart.items=await r.json()}load()",  # noqa: E501
    "xhr=new XMLHttpRequest();xhr.open('GET','/cart');xhr.send();w=window.open('https://soc.example/x')",
    "fetch('/api/cart', {headers:{'X':1}});\nconst SOCIAL = {\n  fb: 'https://facebook.com/shop',\n};\nfor (const k in SOCIAL) {\n  const a = document.createElement('a');\n  a.href = SOCIAL[k];\n  document.body.appendChild(a);\n}",  # noqa: E501
]


def outside(url: Url) -> Ruling | None:
    return None if url.host == "shop.example" else Ruling("marketing", None)


@pytest.mark.parametrize("name", LOADERS)
def test_a_loader_in_the_style_of_the_wild_is_held_and_works_where_nobody_is(name: str) -> None:
    script = LOADERS[name].encode()

    assert loads_held(script, outside)
    assert loads_held(script, lambda url: None) == []


@pytest.mark.parametrize("script", LOADS)
def test_a_loader_is_held(script: str) -> None:
    assert loads_held(script.encode(), outside)


@pytest.mark.parametrize("script", NAMES)
def test_a_script_that_only_names_a_host_works_on(script: str) -> None:
    assert loads_held(script.encode(), outside) == []


@pytest.mark.parametrize("script", LOADS)
def test_a_loader_of_the_shop_itself_works_on(script: str) -> None:
    assert loads_held(script.encode(), lambda url: None) == []


def test_the_cart_that_links_to_social_profiles_works_but_not_with_a_pixel_in_it() -> None:
    cart = NAMES[0].encode()
    pixel = b"new Image().src='https://facebook.com/tr?id=1';"

    assert loads_held(cart, outside) == []
    assert [url.host for url in loads_held(cart + pixel, outside)] != []


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        (b'{"imports": {"a": "https://cdn.example/a.js"}}', ["cdn.example"]),
        (b'{"imports": {"a": "/a.js"}}', []),
        (rb'{"a": "https:\/\/cdn.example\/a.js"}', ["cdn.example"]),
        (rb'{"a": "https:\u002f\u002Fcdn.example"}', ["cdn.example"]),
        (b"'//user@cdn.example/'", ["cdn.example"]),
        (b"new RTCPeerConnection({iceServers:[{urls:'stun:cdn.example'}]})", ["cdn.example"]),
        (b"navigator.credentials.get({publicKey:{rpId:'cdn.example'}})", ["cdn.example"]),
    ],
)
def test_every_spelling_of_a_host_is_seen(text: bytes, hosts: list[str]) -> None:
    assert [url.host for url in held_hosts(text, outside)] == hosts


@pytest.mark.parametrize(
    "tail", [b"((" * 50_000, b"a(a)" * 25_000, b"`${" * 30_000, b'"' * 50_001, b"/[" * 50_000, b"{" * 90_000]
)
def test_a_hostile_script_ends(tail: bytes) -> None:
    assert isinstance(loads_held(b"src;a='//ads.example/';" + tail, outside), list)


@pytest.mark.parametrize(
    ("script", "host", "port"),
    [
        ("new Image().src='//ads.example:8001/p'", "ads.example", 8001),
        ("fetch('https://ads.example:443/p')", "ads.example", None),
        ("new Image().src='https:\\/\\/ads.example:8001\\/p'", "ads.example", 8001),
    ],
)
def test_the_port_counts_for_a_vendor_may_be_declared_by_it(script: str, host: str, port: int | None) -> None:
    (url,) = loads_held(script.encode(), lambda url: Ruling("marketing", None) if url.host == host else None)

    assert (url.host, url.port) == (host, port)


def test_what_a_comment_says_behind_its_slashes_is_no_host_that_a_script_loads_from() -> None:
    script = """
        //广告位
        var i = new Image; //slides
        i.src = '//ads.example/p?' + '//q' //old.example
    """.encode()

    assert [url.host for url in loads_held(script, outside)] == ["ads.example", "q"]


def test_a_host_that_is_no_ascii_is_held_as_any() -> None:
    script = "new Image().src='//广告.example/p'".encode()

    assert [url.host for url in loads_held(script, outside)] == ["xn--4rr70v.example"]


def test_an_xml_namespace_is_nobody_to_load_from() -> None:
    script = b"var s=document.createElementNS('http://www.w3.org/2000/svg','svg');new Image().src='/own.gif'"

    assert not loads_held(script, lambda _: Ruling("marketing", None) if "w3" in _.host else None)


# What may stand around a URL that is loaded; `~` is one.
AROUND = r"""x.src=~|x.src = ~|x.src=~|new Image().src='//ads.example/p'|~|'a'|"b"|;|a(|)|b:|http:|'https:'|'://'|//|/|\\|@
`|'stun:i.example'|&|=|+|,|{|}|'|"|@|iceServers|
|<|'i.ads.example'|"i.ads.example:80"|iceServers|publicKey|é|""".replace("|@\n", "|").split("|")
URLS = r"""//ads.example/p|https://ads.example|http://ads.example/a/b?c&d#e|//ads.example?u@v|//ads.example/a//b|@
//schema.org/a|//www.w3.org/2000/svg|//shop.example/a|//ads.example:80/|//Ads.example/|//1.2.3.4/|//ads.example/a b|@
//ads.example/:|/own|//a..b/|//ads.example\x2f|https:ads.example|//ads.example/é|//ads.example./|//-.example""".replace(
    "@\n", ""
).split("|")


def scripts_with_one_url(seed: int) -> list[bytes]:
    """Make scripts of which most have one URL, in all kinds of places."""
    rnd = random.Random(seed)
    scripts = []
    for _ in range(2000):
        parts = [*rnd.choices(AROUND, k=rnd.randint(0, 3)), rnd.choice(AROUND[:3])]
        script = "".join([*parts, *rnd.choices(AROUND, k=rnd.randint(0, 3))])
        quote = rnd.choice("'\"")
        scripts.append(script.replace("~", quote + rnd.choice(URLS) + quote).encode())
    return scripts


@pytest.mark.parametrize("seed", range(6))
def test_a_host_that_is_loaded_for_sure_is_what_a_reading_of_the_script_finds(seed: int) -> None:
    sure = 0

    for script in scripts_with_one_url(seed):
        host = loaded_host(script)
        if host is None:
            continue
        sure += 1
        read = script + b";" * 1024  # too long for a glance
        assert [url.host for url in loads_held(read, lambda _: Ruling("marketing", None))] == [
            host.decode()
        ], script

    assert sure > 50
