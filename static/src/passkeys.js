// Asks the browser for a passkey, and posts its answer with the form of the button. Without this script the buttons
// stay hidden. A page this old has no challenge that counts, so it is loaded again.
const LIFE = 9 * 60 * 1000;

async function ask(button) {
  const form = button.form, options = JSON.parse(button.dataset.passkey);
  if (performance.now() > LIFE) return location.reload();
  try {
    const answer = options.rp
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
    form.elements.answer.value = JSON.stringify(answer);
    form.submit();
  } catch (error) {
    form.querySelector("[role=status]").textContent = button.dataset.failed + " (" + error.name + ")";
  }
}

addEventListener("DOMContentLoaded", function () {
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseCreationOptionsFromJSON) return;
  for (const button of document.querySelectorAll("[data-passkey]")) {
    button.hidden = false;
    button.onclick = () => ask(button);
  }
});
