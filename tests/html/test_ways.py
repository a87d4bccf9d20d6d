"""Ways of inline scripts to a frame or a hint, which no policy stops: each is held; what is like it and loads nothing is not."""

# ruff: noqa: E501  # scripts as they stand in pages

from __future__ import annotations

import time

import pytest

from cookieguard.html import Ruling, Url
from cookieguard.html.scripts import loads_held

# Each of them opened a connection in Chromium under the policy alone.
WAYS = {
    "rules-in-text-node": 'var s=document.createElement("script");s.type="speculationrules";s.appendChild(document.createTextNode(JSON.stringify({prefetch:[{urls:["https://v.example/a.html"]}]})));document.head.append(s);',
    "rules-in-text": '$("<script type=speculationrules>").text(\'{"prefetch":[{"urls":["https://v.example/a.html"]}]}\').appendTo("head");',
    "rules-in-children": 'var s=document.createElement("script");s.type="speculationrules";s.replaceChildren(\'{"prefetch":[{"urls":["https://v.example/a.html"]}]}\');document.head.append(s);',
    "data-frame-enc": "var f=document.createElement(\"iframe\");f.src='data:text/html,'+encodeURIComponent('<iframe src=\"https://v.example/a.html\"></iframe>');document.body.append(f);",
    "reflectSet": 'var f=document.createElement("iframe");Reflect.set(f,\'src\',"https://v.example/a.html");document.body.append(f);',
    "keys": "const c={rel:'preconnect',href:\"https://v.example\"}; const f=document.createElement('link'); Object.keys(c).forEach(k=>f.setAttribute(k,c[k])); document.head.append(f);",
    "timeout-args": "setTimeout(function(u){var f=document.createElement('iframe');f.src=u;document.body.append(f)},10,\"https://v.example/a.html\");",
    "raf-bind": "requestAnimationFrame(function(u){var f=document.createElement('iframe');f.src=u;document.body.append(f)}.bind(null,\"https://v.example/a.html\"));",
    "bind2": "function go(u){var f=document.createElement('iframe');f.src=u;document.body.append(f)} setTimeout(go.bind(null,\"https://v.example/a.html\"),10);",
    "promise": "Promise.resolve(\"https://v.example/a.html\").then(function(u){var f=document.createElement('iframe');f.src=u;document.body.append(f)});",
    "esc-str": 'var f=document.createElement("iframe");f.src="\\x68ttp\\x3a//v.example/a.html";document.body.append(f);',
    "link-clone": "var l=document.querySelector('link')||document.createElement('link'); l=l.cloneNode(); l.rel='preconnect'; l.href=\"https://v.example\"; document.head.appendChild(l);",
    "link-fn": "function mk(t){return document.createElement(t)} var l=mk('link'); l.rel='preconnect'; l.href=\"https://v.example\"; document.head.appendChild(l);",
    "link-d": "(function(d,t){var l=d.createElement(t); l.rel='preconnect'; l.href=\"https://v.example\"; d.head.appendChild(l)})(document,'link');",
    "link-alias": "var d=document,c='createElement',l=d[c]('link'); l.rel='preconnect'; l.href=\"https://v.example\"; d.head.appendChild(l);",
    "link-ns": "var l=document.createElementNS('http://www.w3.org/1999/xhtml','link'); l.rel='preconnect'; l.href=\"https://v.example\"; document.head.appendChild(l);",
    "link-rel-canon": "var l=document.createElement('LINK'); l.rel='preconnect'; l.href=\"https://v.example\"; document.head.appendChild(l);",
    "frame-win": 'var f=document.createElement("iframe");document.body.append(f);var w=f.contentWindow; w.location="https://v.example/a.html";',
    "frame-win2": 'var f=document.createElement("iframe");document.body.append(f);var w=f.contentWindow; w.location.replace("https://v.example/a.html");',
    "frame-base2": "var b=document.createElement('base'); b.href=\"https://v.example/\"; document.head.prepend(b); var f=document.createElement('iframe'); f.src='a.html';document.body.append(f);",
    "tpl-mustache": "var t='<iframe src=\"{{url}}\"></iframe>'; document.body.insertAdjacentHTML('beforeend',t.replace('{{url}}',\"https://v.example/a.html\"));",
    "u2028": '// x\u2028var f=document.createElement("iframe");f.src="https://v.example/a.html";document.body.append(f);',
    "regex-trick2": 'var f=document.createElement("iframe");var r=1/2/1; var q=a=>/\'/.test(a); f.src="https://v.example/a.html"; var z="\'";document.body.append(f);',
    "optional": 'var f=document.createElement("iframe");f?.setAttribute?.(\'src\',"https://v.example/a.html");document.body.append(f);',
    "call": 'var f=document.createElement("iframe");f.setAttribute.call(f,\'src\',"https://v.example/a.html");document.body.append(f);',
    "apply": 'var f=document.createElement("iframe");f.setAttribute.apply(f,[\'src\',"https://v.example/a.html"]);document.body.append(f);',
    "rx-return": "var f=document.createElement(\"iframe\");function t(e){return/'/.test(e)};f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-return-dq": 'var f=document.createElement("iframe");function t(e){return/"/.test(e)};f.src="https://v.example/a.html";document.body.append(f);var zz=\'\\\'\';',
    "rx-return-bt": 'var f=document.createElement("iframe");function t(e){return/`/.test(e)};f.src="https://v.example/a.html";document.body.append(f);var zz=\'\\\'\';',
    "rx-arrow": "var f=document.createElement(\"iframe\");var t=e=>/'/.test(e);f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-arrow-sp": "var f=document.createElement(\"iframe\");var t=e => /'/.test(e);f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-typeof": "var f=document.createElement(\"iframe\");typeof/'/;f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-case": "var f=document.createElement(\"iframe\");switch(1){case/'/:;};f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-tab": "var f=document.createElement(\"iframe\");var t=\t/'/;f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-two": "var f=document.createElement(\"iframe\");var t=  /'/;f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-nl": "var f=document.createElement(\"iframe\");var t=\n   /'/;f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-and-nl": "var f=document.createElement(\"iframe\");1 &&\n  /'/.test('');f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-or-sp2": "var f=document.createElement(\"iframe\");1 ||  /'/.test('');f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-brace-sp": "var f=document.createElement(\"iframe\");if(1){ /'/.test('') };f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-semi-sp": "var f=document.createElement(\"iframe\");1; /'/.test('');f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-nl-start": "var f=document.createElement(\"iframe\");1;\n  /'/.test('');f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-else": "var f=document.createElement(\"iframe\");if(0);else/'/.test('');f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-arr-sp": "var f=document.createElement(\"iframe\");[ /'/ ];f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-comma2": "var f=document.createElement(\"iframe\");[1,  /'/];f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-throw": "var f=document.createElement(\"iframe\");try{throw/'/}catch(e){};f.src=\"https://v.example/a.html\";document.body.append(f);var zz='\\'';",
    "rx-cond-arrow-dq": 'var f=document.createElement("iframe");var esc=s=>/["&]/.test(s);f.src="https://v.example/a.html";document.body.append(f);var zz=\'\\\'\';',
    "cr": '// a comment\rvar f=document.createElement("iframe");f.src="https://v.example/a.html";document.body.append(f);',
    "cr2": 'var a=1; // a comment\rvar f=document.createElement("iframe");\rf.src="https://v.example/a.html";\rdocument.body.append(f);',
    "u2029": '// x\u2029var f=document.createElement("iframe");f.src="https://v.example/a.html";document.body.append(f);',
    "esc-full": 'var f=document.createElement("iframe");f.src="\\x68\\x74\\x74\\x70\\x3a\\x2f\\x2fv.example/a.html";document.body.append(f);',
    "esc-u": 'var f=document.createElement("iframe");f.src="\\u0068\\u0074\\u0074\\u0070\\u003a\\u002f\\u002fv.example/a.html";document.body.append(f);',
    "esc-colon": 'var f=document.createElement("iframe");f.src="http\\x3a//v.example/a.html";document.body.append(f);',
    "esc-colon2": 'var f=document.createElement("iframe");f.src="http\\u003a\\/\\/v.example/a.html";document.body.append(f);',
    "if-ret": 'function u(p){if(p)return "https://v.example/a.html";return "/own.html"} var f=document.createElement("iframe");f.src=u(1);document.body.append(f);',
    "if-ret2": 'function u(p){if(p.x(1))return "https://v.example/a.html";return "/own.html"} var f=document.createElement("iframe");f.src=u({x:()=>1});document.body.append(f);',
    "else-ret": 'function u(p){if(!p)return 1;else return "https://v.example/a.html"} var f=document.createElement("iframe");f.src=u(1);document.body.append(f);',
    "try-ret": 'function u(k){try{return "https://v.example/a.html"}catch(e){return 0}} var f=document.createElement("iframe");f.src=u("a");document.body.append(f);',
    "call-go": 'function go(u){var f=document.createElement("iframe");f.src=u;document.body.append(f)} go.call(null,"https://v.example/a.html");',
    "apply-go": 'function go(u){var f=document.createElement("iframe");f.src=u;document.body.append(f)} go.apply(null,["https://v.example/a.html"]);',
    "opt-call": 'function go(u){var f=document.createElement("iframe");f.src=u;document.body.append(f)} go?.("https://v.example/a.html");',
    "jq-each": 'jQuery.each(["https://v.example/a.html"],function(i,u){jQuery("<iframe>").attr("src",u).appendTo("body")});',
    "jq-each2": 'jQuery.each({a:"https://v.example/a.html"},function(i,u){jQuery("<iframe>").attr("src",u).appendTo("body")});',
    "write-plain-chain": "document.write('<iframe src=\"');document.write(\"https://v.example/a.html\");document.write('\"></iframe>');",
    "html-plus": 'var h="";h+="<iframe ";h+="src=\\"https://v.example/a.html\\"";h+="></iframe>";document.body.insertAdjacentHTML("beforeend",h);',
    "html-plus2": 'var h="<iframe ";h+="src=\\"";h+="https://v.example/a.html";h+="\\"></iframe>";document.write(h);',
    "html-repl-rx": 'var t="<iframe src=\'%u\'></iframe>"; document.body.innerHTML=t.replace(/%u/g,"https://v.example/a.html");',
    "pc-obj3": '[{rel:"preconnect",href:"https://v.example"}].forEach(function(p){var l=document.createElement("link");for(var k in p)l[k]=p[k];document.head.appendChild(l)});',
    "pc-obj4": '[{rel:"preconnect",href:"https://v.example"}].forEach(function(p){document.head.appendChild(Object.assign(document.createElement("link"),p))});',
    "pc-obj5": 'const hints=[{rel:"preconnect",href:"https://v.example"}]; for(const h of hints){const l=document.createElement("link");Object.entries(h).forEach(([k,v])=>l.setAttribute(k,v));document.head.append(l)}',
}
INNOCENT = {
    "text-node": 'p.appendChild(document.createTextNode("https://v.example/"));$("p").text("https://v.example/");',
    "link-and-own-frame": 'var f=document.createElement("iframe");f.src="/size-guide";document.body.append(f);document.querySelector("a.fb").href="https://v.example/shop";',
    "pre-own-and-link": 'var l=document.createElement("link");l.rel="preconnect";l.href="/cdn";document.head.append(l);var a=document.createElement("a");a.href="https://v.example/x";document.body.append(a);',
    "anchor-rel": 'var a=document.createElement("a");a.rel="noopener";a.href="https://v.example/x";document.body.append(a);',
    "bot-list": 'var bots=[\n  /googlebot/i,\n  /[\'"]/,\n  /"x/ ];\nvar u="https://v.example/"; if(document.referrer.indexOf(u)==0)track("x");',
    "return-rx": 'function t(e){return/\'/.test(e)} var s="https://v.example/"; document.title=s;',
    "share": 'function share(){window.open("https://v.example/share?u="+encodeURIComponent(location.href),"_blank")} document.body.innerHTML+="<iframe src=/own.html></iframe>";',
    "switch-url": 'function net(k){switch(k){case "fb":return "https://v.example/share?u=";default:return "/"}} document.querySelector(".s").onclick=function(){window.open(net("fb")+location.href)}',
    "if-return": 'function net(k){if(k=="fb")return "https://v.example/u";return "/"} location.href=net("fb");',
    "if-return2": 'function net(k){if(k=="fb"){return "https://v.example/u"}return "/"} a.href=net("fb");',
    "map-links": '[["fb","https://v.example/"]].forEach(([n,u])=>{var a=document.createElement("a");a.href=u;a.textContent=n;nav.append(a)});',
    "each-links": 'jQuery.each({fb:"https://v.example/"},function(k,u){jQuery("<a>").attr("href",u).text(k).appendTo("nav")});',
    "each-links-pre": 'jQuery("head").append("<link rel=preconnect href=/x>");jQuery.each({fb:"https://v.example/"},function(k,u){window.open(u)});',
    "timeout-nav": 'setTimeout(function(u){location.href=u},3000,"https://v.example/pay");',
    "push-state": 'dataLayer.push({event:"x",ref:"https://v.example/"});',
    "push-list": 'var partners=[];partners.push("https://v.example/");var ok=partners.some(function(p){return document.referrer.indexOf(p)==0});document.body.insertAdjacentHTML("beforeend","<iframe src=/own.html></iframe>");',
    "replace-url": 'var u="https://v.example/x".replace("x","y");document.body.insertAdjacentHTML("beforeend","<iframe src=/own.html></iframe>");a.href=u;',
    "ld": 'var d={"@context":"https://schema.org","url":"https://v.example/p"};document.head.append(Object.assign(document.createElement("script"),{type:"application/ld+json",text:JSON.stringify(d)}));',
    "nuxt": 'window.__NUXT__={config:{app:{head:{link:[{rel:"preconnect",href:"https://v.example"}]}}}};',
    "popup": 'var w=window.open("","_blank");w.location="https://v.example/pay";',
    "popup2": 'var win=window.open("about:blank");win.location.href="https://v.example/pay";var f=document.querySelector("iframe");var cw=f.contentWindow;cw.location="/own.html";',
    "resolve": 'Promise.resolve("https://v.example/pay").then(function(u){location.href=u});',
    "bind": 'btn.onclick=go.bind(null,"https://v.example/pay");function go(u){window.open(u)}',
    "call": 'go.call(this,"https://v.example/pay");function go(u){location.assign(u)}',
    "embed-share": "ta.value='<iframe src=\"https://v.example/e\"></iframe>';",
    "mailto": 'a.href="mailto:?body="+encodeURIComponent(\'<iframe src="https://v.example/e"></iframe>\');',
    "csp-text": 'var t="Content from https://v.example/ is blocked";p.textContent=t;',
    "regexp-host": "var r=/^https:\\/\\/v001\\.ads\\.example\\//;if(r.test(document.referrer))x();",
    "allow": 'addEventListener("message",function(e){if(e.origin!=="https://v.example")return;box.style.height=e.data+"px"});',
    "origins": 'var ok=["https://v.example"];addEventListener("message",e=>{if(!ok.includes(e.origin))return;document.querySelector("iframe").contentWindow.location="/next"});',
    "set-store": 'store.set("ref","https://v.example/");',
    "reflect": 'Reflect.set(state,"partner","https://v.example/");',
    "esc-mention": 'var s="\\u0053ee https://v.example/ for more";p.textContent=s;',
    "each-cmp": '$.each(["https://v.example/"],function(i,u){if(document.referrer===u)$("p").show()});',
    "form-action": 'var f=document.createElement("form");f.action="https://v.example/pay";f.method="post";document.body.append(f);btn.onclick=()=>f.submit();',
    "write-link": "document.write('<a href=\"https://v.example/\">x</a>');document.write('<iframe src=\"/own\"></iframe>');",
    "write-text": 'document.write("<p>see https://v.example/</p>");document.write(\'<iframe src="/own"></iframe>\');',
    "html-links": 'var h="";h+=\'<iframe src="/own"></iframe>\';h+=\'<a href="https://v.example/">x</a>\';document.body.innerHTML=h;',
    "html-links2": 'var h="";h+=\'<iframe src="/own"></iframe>\';h+=\'<a href="\'+"https://v.example/"+\'">x</a>\';document.body.innerHTML=h;',
    "html-links3": "var u=\"https://v.example/\";var h='<iframe src=\"/own\"></iframe>';h+='<a href=\"'+u+'\">x</a>';document.body.innerHTML=h;",
    "tpl-link": 'var t=\'<a href="{{u}}">x</a>\';nav.innerHTML=t.replace("{{u}}","https://v.example/");',
    "tpl-link2": 'var t=\'<a href="{{u}}">x</a>\',v=\'<iframe src="/own"></iframe>\';nav.innerHTML=t.replace("{{u}}","https://v.example/");box.innerHTML=v;',
    "rel-link": 'document.querySelectorAll("a").forEach(function(a){a.rel="nofollow";a.href="https://v.example/out?"+a.href});',
    "share-const": 'const SHARE={fb:"https://v.example/sharer?u=",tw:"https://v.example/intent?u="};Object.keys(SHARE).forEach(k=>{document.querySelector("."+k).setAttribute("href",SHARE[k]+encodeURIComponent(location.href))});document.head.insertAdjacentHTML("beforeend","<link rel=preconnect href=https://cdn.shop.example>");',
    "pre-own-link-tpl": 'document.head.insertAdjacentHTML("beforeend",\'<link rel="preconnect" href="https://cdn.shop.example">\');document.querySelector(".ig").href="https://v.example/shop";',
    "pre-own-link-a": 'var t=\'<link rel="preconnect" href="/cdn">\';$("head").append(t);var a=document.createElement("a");a.href="https://v.example/store";a.target="_blank";footer.append(a);',
    "pre-own-link-attr": '$("head").append(\'<link rel="dns-prefetch" href="//cdn.shop.example">\');$("a.map").attr("href","https://v.example/maps?q=Berlin");',
    "css-link-mention-pre": '/* perf */var hint="preconnect";var css="<link rel=stylesheet href=/a.css>";document.head.insertAdjacentHTML("beforeend",css);a.href="https://v.example/x";',
    "a-same-name-rel": 'var l=document.createElement("link");l.rel="preconnect";l.href="/cdn";document.head.appendChild(l);var a=document.createElement("a");a.rel="noopener noreferrer";a.href="https://v.example/shop";nav.append(a);',
    "a-relList": 'const l=document.createElement("link");if(l.relList.supports("preconnect")){l.rel="preconnect";l.href="/cdn";document.head.append(l)}const a=document.querySelector("a.out");a.relList.add("noopener");a.href="https://v.example/o";',
    "kept-window-popup": 'var w=frame.contentWindow;w.postMessage(1,"*");function share(){var w=window.open("about:blank");w.location.href="https://v.example/share"}',
    "kept-window-minified": 'function a(e){var t=e.contentWindow;t.postMessage("x","/")}function b(){var t=window;t.location="https://v.example/pay"}',
    "joins-plus": 'var s="Siehe ";s+="https://v.example/hilfe";p.innerHTML=s;modal.innerHTML="<iframe src=/agb></iframe>";',
    "joins-html-text": 'var q="";q+="https://v.example/sharer?u=";document.querySelector(".t").innerHTML=q;lb.innerHTML=\'<iframe class="lb"></iframe>\';',
    "joins-write": 'document.write("https://v.example/");document.write("<iframe src=/own></iframe>");',
    "dest-img2": '[{name:"fb",url:"https://v.example/",icon:"/fb.svg"}].forEach(({name,icon,url})=>{const a=document.createElement("a");a.href=url;const i=new Image;i.src=icon;a.append(i)});',
    "share-html-parts": 'var html="";html+="<li class=fb>";html+="<a href=\\"";html+="https://v.example/sharer?u=";html+=encodeURIComponent(location.href);html+="\\">Teilen</a></li>";document.querySelector(".share").innerHTML=html;function zoom(u){modal.innerHTML="<iframe src=\'/size-guide\'></iframe>"}',
    "share-push-parts": 'var out=[];out.push("<a href=\'");out.push("https://v.example/share?u=");out.push(u);out.push("\'>x</a>");$(".share").html(out.join(""));$(".modal").html("<iframe src=\'/agb\'></iframe>");',
    "tpl-dom-replace": 'var tpl=document.getElementById("share").innerHTML;$(".share").html(tpl.replace("{url}","https://v.example/share?u="+u));$(".modal").html("<iframe src=\'/agb\'></iframe>");',
    "tpl-param-replace": 'function render(tpl,u){return tpl.replace("{u}",u)}$(".s").html(render(a,"https://v.example/share"));$(".modal").html("<iframe src=\'/agb\'></iframe>");',
    "tpl-named-elsewhere": 'var cfg={tpl:"<a href=\'{u}\'>x</a>"};$(".s").html(cfg.tpl.replace("{u}","https://v.example/share"));$(".m").html("<iframe src=/agb></iframe>");',
    "tpl-wrongname": 'var mytpl=\'<iframe src="/x"></iframe>\';var tpl=\'<a href="{u}">x</a>\';$(".s").html(tpl.replace("{u}","https://v.example/share"));',
    "tpl-multiline": 'var tpl\n  = \'<a href="{u}">x</a>\';$(".s").html(tpl.replace("{u}","https://v.example/share"));$(".m").html("<iframe src=/agb></iframe>");',
    "tpl-space": 'var tpl= \'<a href="{u}">x</a>\';$(".s").html(tpl.replace("{u}","https://v.example/share"));$(".m").html("<iframe src=/agb></iframe>");',
    "partners-destr-text": '[{logo:"/a.svg",url:"https://v.example/"}].forEach(({logo,url})=>{const i=new Image;i.src=logo;const a=document.createElement("a");a.href=url;a.append(i);box.append(a)});',
    "partners-arr": '[["/fb.svg","https://v.example/"]].forEach(([icon,u])=>{const i=new Image;i.src=icon;const a=document.createElement("a");a.href=u;a.append(i)});',
    "hints-lib": '(function(){var H=["https://cdn.shop.example"];H.forEach(function(h){var l=document.createElement("link");l.rel="preconnect";l.href=h;document.head.appendChild(l)})})();document.querySelectorAll(".ext").forEach(function(el){el.rel="noopener";el.href="https://v.example/out?u="+el.dataset.u});',
    "hints-speed": 'document.head.insertAdjacentHTML("beforeend",\'<link rel="preconnect" href="https://fonts.shop.example" crossorigin>\');$(".social a.ig").attr("href","https://v.example/myshop");',
    "hints-router": 'document.write(\'<link rel="dns-prefetch" href="//cdn.shop.example">\');var s=document.createElement("a");s.setAttribute("href","https://v.example/help");s.textContent="Hilfe";document.body.appendChild(s);',
    "location-href-hints": '$("head").append(\'<link rel="preconnect" href="//cdn.shop.example">\');btn.onclick=function(){window.location.href="https://v.example/pay"};',
    "location-href2-hints": 'document.head.insertAdjacentHTML("beforeend",\'<link rel=preconnect href=//cdn.shop.example>\');btn.onclick=()=>{location.href="https://v.example/pay"};',
    "jquery-prop-href": '$("head").append(\'<link rel="preconnect" href="//cdn.shop.example">\');$("a.pay").prop("href","https://v.example/pay");',
    "kept-window-w": 'function setup(f){var w=f.contentWindow;w.postMessage("init","*")}function pay(){var w=window.open("","pay");w.location="https://v.example/pay"}',
    "textnode-rules": 'if(HTMLScriptElement.supports("speculationrules")){const s=document.createElement("script");s.type="speculationrules";s.textContent=JSON.stringify({prefetch:[{urls:["/a"]}]});document.head.append(s)}const n=document.createTextNode("https://v.example/");p.appendChild(n);',
    "if-return-mix": 'function u(t){if(t=="img")return"/img.png";if(t=="link")return"https://v.example/";}img.src=u("img");a.href=u("link");',
    "case-return-mix": 'function asset(t){switch(t){case "logo":return "/logo.png";case "help":return "https://v.example/help"}}new Image().src=asset("logo");',
    "semi-hints-a": 'document.querySelectorAll("a[target=_blank]").forEach(a=>{a.rel="noopener"});a.href="https://v.example/x";document.write("x preconnect");',
    "hint-dnsword": 'var perf=performance.getEntriesByType("navigation")[0];perf["dns-prefetch"]=1;function lnk(a){a.rel="noopener";a.href="https://v.example/ref";}',
    "nav-open": 'function go(){var l=document.createElement("a");l.href="https://v.example/x";l.rel="noreferrer";l.target="_blank";l.click()}window.supports={preconnect:true};',
    "wp-hints": 'jQuery("head").prepend("<link rel=\'preconnect\' href=\'https://i0.shop.example\'>");jQuery(".wc-pay").on("click",function(){window.location.href="https://v.example/checkout?id="+id});',
    "wa-plus-html": 'var w="";w+="https://v.example/send?text="+encodeURIComponent(document.title);$(".wa").html("<a href=\'"+w+"\'>WhatsApp</a>");$(".m").html("<iframe src=/agb></iframe>");',
    "replace-share2": 'var link=shareTpl.replace("{net}","https://v.example/sharer");$(".s").append("<a href=\'"+link+"\'>t</a>");$(".m").html("<iframe src=/agb></iframe>");',
    "utm-push": 'var p=[];p.push("https://v.example/?utm="+x);$(".s").append("<li>"+p.join("</li><li>")+"</li>");$(".m").html("<iframe src=/agb></iframe>");',
    "kept-w-printer": 'function print(){var w=f.contentWindow;w.print()}function share(e){var w=window.open("","s","width=600");w.location.href="https://v.example/sharer?u="+e}',
    "if-get": 'function get(k){if(k=="home")return "https://v.example/";return data[k]}img.src=get("logo");',
    "parts-of-both": 'var h="<iframe src=\'";h+=own;h+="\'></iframe>";h+="<a href=\'";h+="https://v.example/share";h+="\'>x</a>";box.innerHTML=h;',
    "parts-of-another": 'var h="<iframe src=\'";h+=own;h+="\'></iframe>";var s="<a href=\'";s+="https://v.example/share";s+="\'>x</a>";box.innerHTML=h;nav.innerHTML=s;',
    "babel": 'var s="<a href=\\"".concat("https://v.example/share","\\">x</a>");nav.innerHTML=s;box.innerHTML="<iframe src=\\"".concat(own,"\\"></iframe>");',
    "kept-window-of-another": 'function a(e){var t=e.contentWindow;t.focus()}function b(t){t.location="https://v.example/pay"}',
    "if-block-return-mix": 'function u(t){if(t==="img"){return "/img.png"}if("link"===t){return "https://v.example/"}}img.src=u("img");a.href=u("link");',
    "text-hole": 'if(HTMLScriptElement.supports("speculationrules"))rules();$(".credit").text(`https://v.example/${x}`);',
}
# A template is what its name is given, wherever that is.
TEMPLATES = {
    "later": 'var t="";if(a){t="<iframe src=\'%u\'></iframe>"}box.innerHTML=t.replace("%u","https://v.example/a.html");',
    "other": 'var t="<p>%u</p>";if(a)t="<iframe src=\'%u\'></iframe>";box.innerHTML=t.replace("%u","https://v.example/a.html");',
    "blanks": 'var at="<p>",t\n= "<iframe src=\'%u\'></iframe>";box.innerHTML=t.replace("%u","https://v.example/a.html");',
}
# What took seconds, as nothing counted how far it looked.
ENDLESS = {
    "blocks": "function f(){" + "do{" * 25_000 + 'return "//v.example";' * 400 + "}frames;x.src=y;",
    "templates": "t='"
    + "<m" * 35_000
    + "';"
    + "".join(f"t{i}.replace('a',\"//v.example\");" for i in range(1200)),
}
MOST_SECONDS = 1.0  # of CPU time; 0.01 here


def outside(url: Url) -> Ruling | None:
    """Hold one host."""
    return Ruling("marketing", None) if url.host == "v.example" else None


@pytest.mark.parametrize("name", WAYS)
def test_a_way_to_a_frame_or_a_hint_is_held(name: str) -> None:
    assert loads_held(WAYS[name].encode(), outside)


@pytest.mark.parametrize("name", INNOCENT)
def test_what_only_looks_like_one_works_on(name: str) -> None:
    assert not loads_held(INNOCENT[name].encode(), outside)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_what_its_name_is_given_anywhere(name: str) -> None:
    assert loads_held(TEMPLATES[name].encode(), outside)


@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_looked_over_is_bounded(name: str) -> None:
    script = ENDLESS[name].encode()
    start = time.process_time()
    assert not loads_held(script, outside)
    assert time.process_time() - start < MOST_SECONDS
