// Loads the banner's script once the banner is parsed. Until it has loaded, the banner's buttons work without it.
{
  // jQuery runs a copy of this script that has no attributes, so it is found by its place. Only a script may be found:
  // markup of customers has none, but may have any attribute. `<img name=querySelector>` hides that of the document.
  const of = Document.prototype, here = of.querySelector.call(document, "#cg-p>script");
  const script = of.createElement.call(document, "script");
  // Resolved against `location`, because a script of the page may have added a foreign `<base>`.
  script.src = new URL(here.dataset.file, location);
  // Turbo and htmx keep a copy of the page's markup, and would run a script element in it a second time.
  script.onload = () => script.remove();
  here.after(script);
}
