/**
 * JSON bodies, checked by hand: what Elysia does by itself coerces texts to numbers, echoes the body in its errors,
 * answers 422, and reads no body without the right content type. Agents send JSON under any content type, or nothing.
 */
import type { Static, TObject } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { type Problem, type ProblemCode, problem } from "../orders/problem.ts";
import { MUST, PROBLEM } from "./schemas.ts";

/** Far deeper than any request of ours; JSON of this depth costs no stack worth mentioning. */
const MAX_DEPTH = 32;

/** A JSON object as it came. Boxed, because its members are the client's: one may be called `problem`. */
export interface Body {
  readonly members: Readonly<Record<string, unknown>>;
}

/** The body's object; an empty body is an empty object. The parser's own words are not repeated: they quote the body. */
export function parseBody(text: string): Body | Problem {
  if (text.trim() === "") return { members: {} };
  if (isTooDeep(text)) return problem("VALIDATION_ERROR", `The body is nested deeper than ${MAX_DEPTH} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return problem("VALIDATION_ERROR", "The body is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return problem("VALIDATION_ERROR", "The body must be a JSON object", { suggestion: "Send {} for the defaults" });
  }
  return { members: value as Body["members"] };
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (inText) {
      if (char === 0x5c) index++;
      else if (char === 0x22) inText = false;
    } else if (char === 0x22) inText = true;
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (char === 0x7d || char === 0x5d) depth--;
  }
  return false;
}

/** The known fields of a body, each checked against its own schema. */
export type FieldsOf<S extends TObject> = { [Name in keyof Static<S>]?: Exclude<Static<S>[Name], undefined> };

export class FieldReader<S extends TObject> {
  readonly #fields: readonly {
    readonly name: string;
    readonly must: string;
    readonly code: ProblemCode;
    readonly check: TypeCheck<TObject>;
  }[];

  constructor(schema: S) {
    this.#fields = Object.entries(schema.properties).map(([name, field]) => ({
      name,
      must: String(field[MUST]),
      code: (field[PROBLEM] as ProblemCode | undefined) ?? "VALIDATION_ERROR",
      check: TypeCompiler.Compile(field) as TypeCheck<TObject>,
    }));
  }

  /**
   * Takes the body's own fields that the schema names; null is absent, and everything else is left alone (`__proto__`
   * is just a name that no schema has). A value of the wrong form is a problem that names the field only.
   */
  read({ members }: Body): FieldsOf<S> | Problem {
    const found: Record<string, unknown> = {};
    for (const { name, must, code, check } of this.#fields) {
      const value = Object.hasOwn(members, name) ? members[name] : undefined;
      if (value === undefined || value === null) continue;
      // JSON can write half a character, UTF-8 cannot (RFC 8259, section 8.2): whoever keeps such a text reads another one later.
      if (typeof value === "string" && !value.isWellFormed()) {
        return problem(code, `Field "${name}" holds half of a surrogate pair`, { details: { field: name } });
      }
      if (!check.Check(value)) {
        return problem(code, `Field "${name}" must be ${must}`, { details: { field: name } });
      }
      found[name] = value;
    }
    // Every value was checked against the schema of its own name.
    return found as FieldsOf<S>;
  }
}
