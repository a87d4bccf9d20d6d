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
((e=document.currentScript,[t,r,n]=e.dataset.cg.split(" "),c=origin,o=document.createElement("template"),
// The address may be a document itself ("data:..."). Of an object, and of a refresh ("0;url=..."), every part may be one.
s=(e,r)=>{try{return e.big?(r=new URL(e,c)).origin==c?0:!r.href.match(t)||m(e=unescape(r))!=e:JSON.stringify(e).replace(/"(rpI|i)d":"/g,'"//').split(/["{};,=\s']/).some(s)}catch{}},
i=/specu|\x26#[^3]|fresh|pre[cr]|dns-|\x3c(if|ba)/i,
l=e=>e.matches("iframe:not([srcdoc]),base")||i.test([e.httpEquiv,e.rel,e.type])?s(e.src||e.href||[e.content,e.text]):0,
// A srcdoc wins over a src, which stays what the page set. Of two attributes the first counts; without quotes they fit
// into a script's string. A preload scanner passes over an empty href, so it is not.
m=e=>i.test(e)?e.replace(/\x3c(if|ba|li|me|sc)\w+/gi,(t,r,n)=>(
o.innerHTML=e.substr(n,6e3),
r=o.content.firstChild||o,
l(r)||m(n=r.srcdoc||"")!=n?t+" srcdoc href=# content type=x":t)):e,
// What an attribute becomes is tried on a copy.
p=(e,t,r,n,c=e.cloneNode(1),i)=>(
n.apply(c,t.map(e=>e?.cloneNode?.(1)||e)),
l(c,i=c.srcdoc||"")?[e.matches("iframe:not([srcdoc])")?r(o.toggleAttribute.call(e,"srcdoc",1)):0]:
m(i)!=i?[e.srcdoc=m(i)]:(
t=[r()],
i||!c.src||s(c.src)||o.toggleAttribute.call(e,"srcdoc",0),
// A frame's first window stays when its document comes: armed now, before any script of that.
i||/^b/.test(c.src)?queueMicrotask(t=>e.contentWindow):0,
t)),
d=(e,t,r,n,c=self[t[1]||e?.target]?.frameElement,o=t[0]||e?.action)=>c?s(o)?[c.contentWindow,c.src=o]:0:[e=r(),f(e)],
u=({target:e})=>e.matches?.('[src][srcdoc=""]')?import(c+n).then(t=>t.show(e),t=>t):0,
f=(e,t)=>{try{
(e=e.document||e).addEventListener("load",u,1);
(e=e.defaultView).Node.cg||(e.Node.cg=1,
// A function given here (n) answers a call in its own way, [answer], or r makes it: of what the page has there by now,
// with what became of the arguments. Each frame pays for what stands here: r picks from an interface's own names and the
// inherited ones in c, since to walk through all that is inherited takes twice as long as the rest; descriptors are read
// faster than __lookupSetter__. Of an accessor it is i that is kept, or the getter where there is nothing else.
t=(t,r,n,c="",i="set")=>t.split(" ").map(t=>[c?0:e[t],e[t]?.prototype].map(e=>e?(c+Object.keys(e)).match(r)?.map((t,r,c,o)=>(
r=Object.getOwnPropertyDescriptor(e,t),c=r?.get?r[i]?i:"get":0,o=new Proxy(c?r[c]:e[t],{apply(c,o,a,s=n=>(r?c:e.__proto__[t]).apply(o,a),i){try{i=n(o,a,s,c)}catch{}return i?i[0]:s()}}),
c?Object.defineProperty(e,t,{[c]:o}):e[t]=o)):0)),
t("HTMLLinkElement",/relL\w+/g,(e,t,r,n,c=e.href)=>s(c)?queueMicrotask(t=>e.href=c,e.href=""):0,"","get"),
t("HTMLLinkElement HTMLScriptElement HTMLIFrameElement HTMLBaseElement HTMLMetaElement",/\b(content\b|[rst]\w+Attr|http|t[ye]|app|rel|src|href|innerT)\w*/g,p,Object.keys(e.Element.prototype)+" appendChild "),
t("HTMLFormElement HTMLIFrameElement Element",/\b(content[DW]|attachS|subm)\w*/g,d),
// Only markup: what else there is, or in another encoding, would not survive being read as text.
t("URL",/cr\w+/g,(e,t,r,n,c=t[0],o=new XMLHttpRequest,a)=>/\b..?ml/.test(c.type)?(o.open("GET",a=r(),0),o.send(),[m(o=o.response)==o?a:r(t[0]=new Blob([m(o)],c))]):0),
// Into a script go no markup but the rules that it speculates by: it keeps those that are let through, or none.
t("Document ShadowRoot DOMParser Range Element",/\b(\w*HTML|wr|createCon|parse)\w*/g,(e,t)=>{e==o||t.map((c,r,n)=>t[r]=i.test(e.type)?s([c])?"":c:m(n=c+"")!=n?m(n):c)}),
t("CredentialsContainer PublicKeyCredential",/\w+/g,(e,t)=>{s(t[0])?t[0]={}:0}),
// Of a window `open` alone: else names that a frame's scripts gave (`submenu`, `contentDiv`) are taken for its functions.
t("self",/open\b/g,d),
t("RTCPeerConnection",/setL\w+/g,(e,t,r,n,c=e.getConfiguration())=>s(c)?e.setConfiguration(c,c.iceServers=[]):0),
t("Document Storage CookieStore",/\b(coo|set)\w*/g,(e,[t])=>(t.name||t).match(r)?[(async t=>t)()]:0),
e.frameElement?e.navigation.addEventListener("navigate",t=>s(t.destination.url)?t.preventDefault(e.frameElement.src=t.destination.url):0):0)}catch{}})=>f(self,e.remove()))()
