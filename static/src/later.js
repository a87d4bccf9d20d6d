// Loads the banner's script once the banner is parsed. Until it has loaded, the banner's buttons work without it.
{
  // `<img name=currentScript>` hides this property of the document, so it is read with the getter of the prototype.
  const of = Document.prototype;
  const here = Reflect.get(of, "currentScript", document), script = of.createElement.call(document, "script");
  // Resolved against `location`, because a script of the page may have added a foreign `<base>`.
  script.src = new URL(here.dataset.cg, location);
  // Turbo and htmx keep a copy of the page's markup, and would run a script element in it a second time.
  script.onload = () => script.remove();
  here.after(script);
}
