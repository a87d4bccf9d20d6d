// Removes the `<meta>` element with our policy, which is right before this script. The policy stays in force, and a
// framework that renders the whole document again (React) finds the head as it wrote it.
{
  const ownScript = document.currentScript;
  ownScript.previousSibling.remove();
  ownScript.remove();
}
