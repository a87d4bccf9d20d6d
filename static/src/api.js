// What the page's own scripts may ask of the visitor's choice: window.cookieguard, there before any of them runs. It
// says what holds for this document, and never changes: a choice that is made loads the page again. It stands on every
// page, so its names are letters:
// b  where our own pages are                g  what is granted
// h  what a script set `onchange` to        l  the link to the choices and back
// No less-than and no ampersand: they would break a page of XML.
{
let m=document.currentScript,[b,state,...g]=m.dataset.cg.split(" "),h=null,
l=x=>origin+b+"choices?next="+encodeURIComponent(location.pathname+location.search)+"\x26lang="+document.documentElement.lang,
c={state,has:x=>g.includes(x),get onchange(){return h},set onchange(x){h=x},open:x=>{location=l()}};
m.remove();
// Turbo runs the script of another page in this very document, whose policy stays what it was.
window.cookieguard||(
// On the prototype: there a `let cookieguard` or `var cookieguard` of the shop collides with nothing.
Object.defineProperty(Window.prototype,"cookieguard",{value:Object.freeze(c)}),
addEventListener("cookieguard:change",x=>h?.(x)),
// A form that users wrote, such as a review that a script renders, cannot post to our pages; it may open those that only
// show something (choices, cookies, policy). The name of a field hides a property of its form, so the prototype is asked. Our own forms are in a
// shadow, which keeps the event, in our element, or on a page of ours that Turbo or htmx put in place of the shop's.
addEventListener("submit",x=>{
let s=x.submitter,f=HTMLFormElement;
if(x.target instanceof f)if(!location.pathname.startsWith(b))
if(f=unescape((s?.attributes.formaction?s.formAction:Reflect.get(f.prototype,"action",x.target)).split(/[?#]/)[0]),f.includes(unescape(b)))if(!/(es|icy)$/.test(f))
s?.closest("cg-part")||(x.preventDefault(),x.stopPropagation())
},1),
// A link leads there in the way it was clicked: in another tab, too.
addEventListener("click",x=>{
if(x=x.composedPath().find(x=>x.matches?.("[data-cg-open]")))x.href?x.href=l():c.open()
},1))}
