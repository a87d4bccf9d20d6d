// Removes the `<meta>` element with our policy, right before this script. The policy stays in force, and a framework that
// renders the whole document again (React) finds the head that it wrote.
{
  const ownScript = document.currentScript;
  ownScript.previousSibling.remove();
  ownScript.remove();
}
