/** All planted bugs. */
import { CLOCKS } from "./clocks.ts";
import { ENGINE } from "./engine.ts";
import { LOSSES } from "./losses.ts";
import { MONEY } from "./money.ts";
import type { Mutant } from "./mutant.ts";
import { PRIVACY } from "./privacy.ts";
import { PROVIDER } from "./provider.ts";

export const MUTANTS: readonly Mutant[] = [...MONEY, ...PROVIDER, ...ENGINE, ...PRIVACY, ...CLOCKS, ...LOSSES];
