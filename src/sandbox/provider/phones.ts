/**
 * Phone numbers that look right: country calling codes and the shape of a mobile number per country (ITU-T E.164 and the
 * national numbering plans), as `ISO code lead length`, where the length counts the national digits and `n` is any of 2-9.
 */
import type { World } from "../../../actors/runtime/world.ts";

const PLAN = `
UA 380 67 9|KZ 7 70 10|CN 86 13 11|PH 63 9 10|MM 95 9 10|ID 62 81 11|MY 60 1 9|KE 254 7 9|TZ 255 7 9|VN 84 9 9|KG 996 7 9
US 1 n02n 10|IL 972 5 9|HK 852 9 8|PL 48 5 9|GB 44 7 10|MG 261 34 9|CD 243 8 9|NG 234 80 10|MO 853 6 8|EG 20 10 10
IN 91 9 10|IE 353 8 9|KH 855 1 8|LA 856 20 10|HT 509 3 8|CI 225 07 10|GM 220 7 7|RS 381 6 9|YE 967 7 9|ZA 27 7 9
RO 40 7 9|CO 57 3 10|EE 372 5 8|AZ 994 50 9|CA 1 604n 10|MA 212 6 9|GH 233 2 9|AR 54 911 11|UZ 998 9 9|CM 237 6 9
TD 235 6 8|DE 49 15 11|LT 370 6 8|HR 385 9 9|SE 46 7 9|IQ 964 7 10|NL 31 6 9|LV 371 2 8|AT 43 66 10|BY 375 29 9
TH 66 8 9|SA 966 5 9|MX 52 55 10|TW 886 9 9|ES 34 6 9|IR 98 9 10|DZ 213 5 9|SI 386 4 8|BD 880 1 10|SN 221 7 9
TR 90 5 10|CZ 420 7 9|LK 94 7 9|PE 51 9 9|PK 92 3 10|NZ 64 2 9|GN 224 6 9|ML 223 7 8|VE 58 41 10|ET 251 9 9|MN 976 9 8
BR 55 119 11|AF 93 7 9|UG 256 7 9|AO 244 9 9|CY 357 9 8|FR 33 6 9|PG 675 7 8|MZ 258 8 9|NP 977 98 10|BE 32 4 9
BG 359 8 9|HU 36 20 9|MD 373 6 8|IT 39 3 10|PY 595 9 9|HN 504 9 8|TN 216 2 8|NI 505 8 8|TL 670 7 8|BO 591 7 8
CR 506 8 8|GT 502 5 8|AE 971 5 9|ZW 263 7 9|PR 1 787n 10|SD 249 9 9|TG 228 9 8|KW 965 5 8|SV 503 7 8|LY 218 9 9
JM 1 876n 10|TT 1 868n 10|EC 593 9 9|SZ 268 7 8|OM 968 9 8|BA 387 6 8|DO 1 809n 10|SY 963 9 9|QA 974 5 8|PA 507 6 8
CU 53 5 8|MR 222 4 8|SL 232 7 8|JO 962 7 9|PT 351 9 9|BB 1 246n 10|BI 257 7 8|BJ 229 01 10|BN 673 8 7|BS 1 242n 10
BW 267 7 8|BZ 501 6 7|CF 236 7 8|DM 1 767n 10|GD 1 473n 10|GE 995 5 9|GR 30 69 10|GW 245 9 9|GY 592 6 7|IS 354 6 7
KM 269 3 7|KN 1 869n 10|LR 231 7 9|LS 266 5 8|MW 265 9 9|NA 264 8 9|NE 227 9 8|RW 250 7 9|SK 421 9 9|SR 597 8 7
TJ 992 9 9|MC 377 6 9|BH 973 3 8|RE 262 692 9|ZM 260 9 9|AM 374 9 8|SO 252 6 9|CG 242 06 9|CL 56 9 9|BF 226 7 8
LB 961 7 8|GA 241 07 8|AL 355 6 9|UY 598 9 8|MU 230 5 8|BT 975 17 8|MV 960 7 7|GP 590 690 9|TM 993 6 8|GF 594 694 9
FI 358 4 9|LC 1 758n 10|LU 352 6 9|VC 1 784n 10|GQ 240 2 9|DJ 253 77 8|AG 1 268n 10|KY 1 345n 10|ME 382 6 8|DK 45 2 8
CH 41 7 9|NO 47 4 8|AU 61 4 9|ER 291 7 7|SS 211 9 9|ST 239 9 7|AW 297 5 7|MS 1 664n 10|AI 1 264n 10|JP 81 90 10
MK 389 7 8|SC 248 2 7|NC 687 7 6|CV 238 9 7|PS 970 59 9|FJ 679 7 7|KR 82 10 10|KP 850 19 10|EH 212 528 9|SB 677 7 7
JE 44 7797 10|BM 1 441n 10|SG 65 8 8|TO 676 7 7|WS 685 7 7|MT 356 9 8|LI 423 7 7|GI 350 5 8|FO 298 2 6|XK 383 4 8
NU 683 888 7|RU 7 9 10`;

interface NumberPlan {
  readonly callingCode: number;
  readonly lead: string;
  readonly length: number;
}

const PLANS: ReadonlyMap<string, NumberPlan> = new Map(
  PLAN.trim()
    .split(/[|\n]/)
    .map((entry) => {
      const [iso = "", code = "", lead = "", length = ""] = entry.split(" ");
      return [iso, { callingCode: Number(code), lead, length: Number(length) }];
    }),
);

/** A plan nobody has: code 999 is unassigned. Keeps a country added to the list usable. */
const UNKNOWN_PLAN: NumberPlan = { callingCode: 999, lead: "9", length: 9 };

const plan = (iso: string): NumberPlan => PLANS.get(iso) ?? UNKNOWN_PLAN;

export const callingCode = (iso: string): number => plan(iso).callingCode;

/** A random mobile number of a country: digits with calling code, without "+". */
export function randomPhone(world: World, iso: string): string {
  const { callingCode: code, lead, length } = plan(iso);
  const bytes = world.random(length);
  const digits = Array.from(bytes, (byte, index) => {
    const fixed = lead[index];
    if (fixed === "n") return 2 + (byte % 8);
    return fixed ?? byte % 10;
  });
  return `${code}${digits.join("")}`;
}
