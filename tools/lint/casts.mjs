// Two rules that keep types honest outside the typed kernel: no cast, no `any`. What the compiler
// cannot follow belongs into the kernel, or into a type guard that looks at the value.

/** Forbids `value as Type` and `<Type>value`. `as const` and `satisfies` are no casts. */
export const noCast = {
  meta: { type: "problem", docs: { description: "forbid casts outside the typed kernel" } },
  create(context) {
    const check = (node) => {
      if (isConst(node.typeAnnotation)) return;
      context.report({
        node,
        message:
          "A cast hides a wrong type. Use `satisfies`, a type guard that looks at the value, or a better type.",
      });
    };
    return { TSAsExpression: check, TSTypeAssertion: check };
  },
};

/** Forbids the type `any`. */
export const noAny = {
  meta: { type: "problem", docs: { description: "forbid `any` outside the typed kernel" } },
  create(context) {
    return {
      TSAnyKeyword(node) {
        context.report({
          node,
          message:
            "`any` switches the compiler off. Use `unknown` and narrow it, or a type parameter.",
        });
      },
    };
  },
};

function isConst(type) {
  return (
    type.type === "TSTypeReference" &&
    type.typeName.type === "Identifier" &&
    type.typeName.name === "const"
  );
}
