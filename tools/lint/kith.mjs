// The lint rules of the house, as a plugin for oxlint. `.oxlintrc.json` at the root says which files
// each of them binds.

import { noAny, noCast } from "./casts.mjs";
import { pure } from "./pure.mjs";

export default {
  meta: { name: "kith" },
  rules: { pure, "no-any": noAny, "no-cast": noCast },
};
