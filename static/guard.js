// Holds what no policy can stop, first in every document while any party is held. A frame that a policy refuses has its
// connection open by then; hints, refreshes, speculation, servers for calls and passkeys of others know no policy. What
// vendors not agreed to write into cookies and storage stays out, too. The policy does the rest.
//
// It is read on every page, so its names are letters, and 1,500 bytes (gzip -9) are all it has:
// f  what an address looks like that is let through   c  names of cookies and storage that are held
// b  the module that shows placeholders               l  this origin
// e  an inert place to read markup in                 v  whether a text leads to somebody held
// H  whether an element would contact somebody held   q  markup with such elements held
// S  sets an attribute                                Y  opens a window, frame or shadow tree
// L  hears of loaded frames                           A  arms a window
// Every function of the browser's is kept in a Proxy around it: its name, length, text and errors stay its own. What is
// wrong in here lets the call through. No less-than and no ampersand: they would break a page of XML.
(x=>{
let d=document,m=d.currentScript,[f,c,b]=m.dataset.cg.split(" "),l=origin,e=d.createElement("template"),j=(s,x)=>e.toggleAttribute.call(s,"srcdoc",x),
// The URL may be that of a refresh ("0;url=..."), a document itself ("data:...") or one of many in JSON.
v=(t,u)=>{try{return/^{/.test(t)?t.split(/["{}]+/).some(v):(u=new URL(t.replace(/^[\d.\s]+[;,\s]+(url[\s=]+)?["']?/i,""),l)).origin==l?0:!u.href.match(f)||q(t=unescape(u))!=t}catch{}},
H=x=>/^.(iframe(?!.* srcdoc=)|base|link.*(dns|pre[cr])|meta.*refresh|script.*specul)/is.test(x.outerHTML)?v(x.src||x.href||x.content||x.text):0,
// A srcdoc wins over a src, which stays what the page set. Of two attributes the first counts; without quotes they fit
// into a script's string. A preload scanner passes over an empty href, so it is not.
q=t=>t.replace(/\x3c(if|ba|lin|me|sc)\w+/gi,(x,n,i)=>{
e.innerHTML=t.slice(i,i+5e3);
return H(e.content.firstChild)?x+" srcdoc href=# content type=x":x
}),
// What an attribute becomes is tried on a copy.
S=(s,a,f,c=s.cloneNode(1),t,r=x=>[f.apply(s,a)])=>(
f.apply(c,a.map(x=>x?.cloneNode?.(1)||x)),
t=c.srcdoc,
t==null?H(c)?[]:0:
H(c)?s.matches("[srcdoc]")?[]:(j(s,1),r()):
q(t)!=t?[s.srcdoc=q(t)]:(
a=r(),
t||v(c.src)||j(s,0),
// A frame's first window stays when its document comes: armed now, before any script of that.
t||c.src[0]=="b"?queueMicrotask(x=>s.contentWindow):0,
a)
),
Y=(s,a,f,c=self[a[1]||s?.target]?.frameElement,t=a[0]||s?.action)=>c?v(t)?[c.contentWindow,c.src=t]:0:(A(s=f.apply(s,a)),[s]),
L=({target:x})=>{x.matches?.('[srcdoc=""]')?import(l+b).then(m=>m.show(x),x=>x):0},
A=w=>{try{
w=w.defaultView||w;
(w.document||w).addEventListener("load",L,1);
if(w.Node.cg)return;
w.Node.cg=1;
// F answers a call in its own way: [answer]; else the browser does, with what F made of the arguments.
let O=(N,p,F)=>N.split(" ").map(n=>[n=w[`HTML${n}Element`]||w[n],n?.prototype].map(o=>{for(let n in o)if(p.test(n)){
let g=o.__lookupGetter__(n),s=n[3]=="L"?0:o.__lookupSetter__(n),p=f=>new Proxy(f,{apply(f,s,a){let y;try{y=F(s,a,f)}catch{}return y?y[0]:f.apply(s,a)}});
s?o.__defineSetter__(n,p(s)):0;
g?o.__defineGetter__(n,s?g:p(g)):o[n]=p(o[n])
}}));
O("IFrame Base Link Meta Script",/^(src|href|rel$|http|content$|typ|text|app|[rst].*Attr)/,S);
O("IFrame Element Form self",/^(content[DW]|attachS|submit$|open$)/,Y);
O("Link",/^relL/,(s,a,f,c=s.href)=>v(c)?queueMicrotask(x=>s.href=c,s.href=""):0);
O("Element ShadowRoot Document Range DOMParser",/^(wr|parse)|HTML|xtual/,(s,a)=>{s==e||a.map((x,i,t)=>{(x=q(t=x+""))==t||(a[i]=x)})});
O("Document Storage",/^(coo|setI)/,(s,a)=>a[0].match(c)?[]:0);
O("PublicKeyCredential CredentialsContainer",/./,(s,a)=>{v(JSON.stringify(a[0]).replace(/("(rpI|i)d":")/g,"$1//"))?a[0]={}:0});
O("RTCPeerConnection",/^setL/,(s,a,f,c=s.getConfiguration())=>{v(JSON.stringify(c))?s.setConfiguration(c,c.iceServers=[]):0});
O("URL",/^cr/,(s,[b],f,c=new XMLHttpRequest)=>/ml/.test(b.type)?(c.open("GET",f(b),0),c.send(),[f(new Blob([q(c.response)],b))]):0);
w.frameElement?w.navigation.addEventListener("navigate",x=>v(x.destination.url)?x.preventDefault(w.frameElement.src=x.destination.url):0):0
}catch{}};
m.remove();
A(window)
})()
