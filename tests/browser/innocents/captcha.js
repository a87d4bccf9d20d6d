// What asks whether a visitor is a person, as its provider serves it.
{
  const home = new URL(document.currentScript.src);
  window.Captcha = {
    render(at) {
      document.querySelector(at).innerHTML = `<iframe title="captcha" src="${home.origin}/pay-frame"></iframe>`
        + '<textarea name="captcha-answer" hidden></textarea>';
    },
  };
  window[home.searchParams.get("onload")]();
}
