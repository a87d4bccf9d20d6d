// Holds what no policy can stop, first in every document while any party is held. A frame that a policy refuses has its
// connection open by then; hints, refreshes, speculation, servers for calls and passkeys of others know no policy. What
// vendors not agreed to write into cookies and storage stays out, too. The policy does the rest.
//
// It is read on every page, so its names are letters, and 1,500 bytes (gzip -9) are all it has. A function's parameters
// are e, t, r, n, c in that order, for what repeats is packed best; outside of them:
// t  what an address looks like that is let through   r  names of cookies and storage that are held
// n  the module that shows placeholders               c  this origin
// o  an inert place to read markup in                 s  whether an address, or one of an object's, leads to somebody held
// i  words without which nothing here is concerned    l  whether an element would contact somebody held
// m  markup with such elements held                   p  sets an attribute
// d  opens a window, frame or shadow tree             u  hears of loaded frames
// f  arms a window
// Every function of the browser's is kept in a Proxy around it: its name, length, text and errors stay its own. What is
// wrong in here lets the call through. No less-than and no ampersand: they would break a page of XML.
((e=document.currentScript,[t,r,n]=e.dataset.cg.split(" "),c=origin,o=document.createElement("template"),{toggleAttribute:a}=o,
// The address may be a document itself ("data:..."). Of an object, and of a refresh ("0;url=..."), every part may be one.
s=(e,r)=>{try{return e.big?(r=new URL(e,c)).origin==c?0:!r.href.match(t)||m(e=unescape(r))!=e:JSON.stringify(e).replace(/"(rpI|i)d":"/g,'"//').split(/["{};,=\s']/).some(s)}catch{}},
i=/\x3c(if|ba)|dns-|pre[cr]|fresh|specu|\x26#[^3]/i,
l=e=>e.matches("iframe:not([srcdoc]),base")||i.test([e.rel,e.httpEquiv,e.type])?s(e.src||e.href||[e.content,e.text]):0,
// A srcdoc wins over a src, which stays what the page set. Of two attributes the first counts; without quotes they fit
// into a script's string. A preload scanner passes over an empty href, so it is not.
m=e=>i.test(e)?e.replace(/\x3c(if|ba|li|me|sc)\w+/gi,(t,r,n)=>(
o.innerHTML=e.slice(n,n+5e3),
r=o.content.firstChild||o,
l(r)||m(n=r.srcdoc||"")!=n?t+" srcdoc href=# content type=x":t
)):e,
// What an attribute becomes is tried on a copy.
p=(e,t,r,n,c=e.cloneNode(1),o)=>(
n.apply(c,t.map(e=>e?.cloneNode?.(1)||e)),
o=c.srcdoc||"",
l(c)?e.matches("iframe:not([srcdoc])")?(a.call(e,"srcdoc",1),[r()]):[]:
m(o)!=o?[e.srcdoc=m(o)]:(
t=[r()],
o||!c.src||s(c.src)||a.call(e,"srcdoc",0),
// A frame's first window stays when its document comes: armed now, before any script of that.
o||c.src?.[0]=="b"?queueMicrotask(t=>e.contentWindow):0,
t
)),
d=(e,t,r,n,c=self[t[1]||e?.target]?.frameElement,o=t[0]||e?.action)=>c?s(o)?[c.contentWindow,c.src=o]:0:(f(e=r()),[e]),
u=({target:e})=>e.matches?.('[src][srcdoc=""]')?import(c+n).then(t=>t.show(e),e=>e):0,
f=e=>{try{
((e=e.defaultView||e).document||e).addEventListener("load",u,1);
if(e.Node.cg)return;
e.Node.cg=1;
// A function given here (n) answers a call in its own way, [answer], or r makes it: of what the page has there by now,
// with what became of the arguments.
let t=(t,r,n)=>t.split(" ").map(t=>[t=e[t],t?.prototype].map(e=>{for(let t in e)if(r.test(t)){
let r=e.__lookupGetter__(t),c=t=="relList"?0:e.__lookupSetter__(t),o=c=>new Proxy(c,{apply(c,o,a,s=n=>(r?c:e.__proto__[t]||c).apply(o,a),i){try{i=n(o,a,s,c)}catch{}return i?i[0]:s()}});
c?e.__defineSetter__(t,o(c)):0;
r?e.__defineGetter__(t,c?r:o(r)):e[t]=o(e[t])
}}));
t("HTMLIFrameElement HTMLBaseElement HTMLLinkElement HTMLMetaElement HTMLScriptElement",/^(src|href|rel$|http|content$|typ|text|app|[rst].*Attr)/,p);
t("HTMLIFrameElement Element HTMLFormElement self",/^(content[DW]|attachS|submit|open$)/,d);
t("HTMLLinkElement",/^relL/,(e,t,r,n,c=e.href)=>s(c)?queueMicrotask(t=>e.href=c,e.href=""):0);
t("Element ShadowRoot Document Range DOMParser",/^(wr|parse)|HTML|xtual/,(e,t)=>{e==o||t.map((e,r,n)=>m(n=e+"")==n||(t[r]=m(n)))});
t("Document Storage CookieStore",/^(coo|set)/,(e,[t])=>(t.name||t).match(r)?[(async e=>e)()]:0);
t("PublicKeyCredential CredentialsContainer",/./,(e,t)=>{s(t[0])?t[0]={}:0});
t("RTCPeerConnection",/^setL/,(e,t,r,n,c=e.getConfiguration())=>{s(c)?e.setConfiguration(c,c.iceServers=[]):0});
// Only markup: what else there is, or in another encoding, would not survive being read as text.
t("URL",/^cr/,(e,t,r,n,c=t[0],o=new XMLHttpRequest,a=r())=>[/\b..?ml/.test(c.type)?(o.open("GET",a,0),o.send(),m(o=o.response)==o?a:r(t[0]=new Blob([m(o)],c))):a]);
e.frameElement?e.navigation.addEventListener("navigate",t=>s(t.destination.url)?t.preventDefault(e.frameElement.src=t.destination.url):0):0
}catch{}})=>f(window,e.remove()))()
