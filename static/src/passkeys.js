// Requests a passkey from the browser, and posts it with the form of the button. Without this script, the buttons stay
// hidden. The challenge is bound to a cookie, which is set at the click. After LIFE, the challenge has expired, so the page
// is loaded again.
const LIFE = 9 * 60 * 1000;

function created(options) {
  return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON({
    challenge: options.challenge,
    rp: { id: options.rpId, name: options.rpId },
    user: options.user,
    // ES256, Ed25519, RS256: the algorithms that authenticators offer and the server can verify.
    pubKeyCredParams: [-7, -8, -257].map(alg => ({ type: "public-key", alg })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    excludeCredentials: options.known.map(one => ({ type: "public-key", id: one.id })),
  }) });
}

function got(options) {
  const { challenge, rpId } = options;
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON({
    challenge, rpId, userVerification: "required",
  }) });
}

async function ask(button) {
  const form = button.form, options = JSON.parse(button.dataset.passkey);
  if (performance.now() > LIFE) return location.reload();
  if (options.cookie) document.cookie = options.cookie;
  try {
    form.elements.answer.value = JSON.stringify(await (options.user ? created : got)(options));
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
