// Asks for the banner's script once the page is parsed as far as the banner: the banner takes an answer without it.
{
  // `<img name=currentScript>` hides the property of the document, but not the one of its prototype.
  const of = Document.prototype;
  const here = Reflect.get(of, "currentScript", document), script = of.createElement.call(document, "script");
  // Against `location`: a script of the page may have made a foreign `<base>`.
  script.src = new URL(here.dataset.file, location);
  // Turbo and htmx keep a copy of the page's markup, and would run it once more beside this one.
  script.onload = () => script.remove();
  here.after(script);
}
