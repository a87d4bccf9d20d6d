// Rewrites a syntax tree (ESTree) so that no operator has `<` or `&`. In a page of XML, an inline script with either
// breaks the page. `a && b` becomes `a ? b : 0` where only its truth counts, or nothing does; `a < b` becomes `b > a`.

const TURNED = { "<": ">", "<=": ">=" };
const ZERO = { type: "Literal", value: 0, raw: "0" };

export function withoutMarkup(node, isTested = false) {
  if (!node?.type) return node; // a position, or the value of a literal
  const changed = { ...node };
  for (const [field, value] of Object.entries(node)) {
    const rewrite = (child, index) => withoutMarkup(child, testsOnly(node, field, isTested, index));
    changed[field] = Array.isArray(value) ? value.map(rewrite) : rewrite(value);
  }
  // `let` says the same once the source is checked, and saves 10 bytes of the guard.
  if (node.kind == "const") changed.kind = "let";
  if (node.operator in TURNED) return turned(changed);
  return node.operator == "&&" ? conditional(changed, isTested) : changed;
}

// Return whether a node asks no more of a field than its truth: it is tested, or dropped.
function testsOnly(node, field, isTested, index) {
  switch (node.type) {
    case "ExpressionStatement": return true;
    case "UnaryExpression": return node.operator == "!";
    case "SequenceExpression": return isTested || index < node.expressions.length - 1;
    case "LogicalExpression": return isTested && node.operator != "??";
    case "ConditionalExpression": return isTested || field == "test";
    default: return field == "test" || field == "update";
  }
}

function conditional(node, isTested) {
  if (!isTested) throw new Error("the value of `a && b` is used: write `a ? b : ...`");
  return { type: "ConditionalExpression", test: node.left, consequent: node.right, alternate: ZERO };
}

// Only where it makes no difference which side is read first.
function turned(node) {
  const { left, right } = node, types = [left.type, right.type];
  const isFree = types.includes("Literal") || types.every(type => type == "Identifier");
  if (!isFree) throw new Error("write `a < b` as `b > a`");
  return { ...node, operator: TURNED[node.operator], left: right, right: left };
}
