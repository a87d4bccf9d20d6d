// Takes out the policy that stands right before: it holds on, and a framework that makes the whole document anew (React)
// finds the head it wrote.
{
  let own = document.currentScript;
  own.previousSibling.remove();
  own.remove();
}
