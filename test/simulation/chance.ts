/**
 * Chance from a seed, in two forms. `Chance` is a stream: each customer has one. `Fate` has no state but the seed: what it says depends on
 * the name of the question and the time alone, so that taking a customer or a fault out of a run leaves the luck of the others as it was.
 * That is what makes a failing run shrink.
 */
import type { Millis } from "../../actors/runtime/world.ts";

/** Murmur3's finaliser: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let z = value >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** xoshiro128**: fast, and the same on every machine. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    const state = (step: number) => mix((seed + step * 0x9e3779b9) >>> 0);
    this.#a = state(1);
    this.#b = state(2);
    this.#c = state(3);
    this.#d = state(4) || 1;
  }

  u32(): number {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    return this.u32() / 2 ** 32;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let index = 0; index < length; index += 4) {
      const word = this.u32();
      for (let byte = 0; byte < 4 && index + byte < length; byte++) out[index + byte] = word >>> (byte * 8);
    }
    return out;
  }
}

/** One draw of fate: as many numbers as needed, all of them functions of (seed, name, time, how often asked at that time). */
export class Draw {
  #state: number;

  constructor(state: number) {
    this.#state = state;
  }

  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    return mix(this.#state) / 2 ** 32;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }
}

export class Fate {
  readonly #seed: number;
  readonly #names = new Map<string, number>();
  /** How often each name was asked at the present time. */
  readonly #asked = new Map<string, number>();
  #time: Millis = -1;

  constructor(seed: number) {
    this.#seed = mix(seed ^ 0x5bd1e995);
  }

  draw(name: string, time: Millis): Draw {
    if (time !== this.#time) {
      this.#time = time;
      this.#asked.clear();
    }
    const nth = this.#asked.get(name) ?? 0;
    this.#asked.set(name, nth + 1);
    let hash = this.#names.get(name);
    if (hash === undefined) {
      hash = 0x811c9dc5;
      for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
      this.#names.set(name, hash);
    }
    const low = time >>> 0;
    const high = Math.floor(time / 2 ** 32) >>> 0;
    return new Draw(mix(mix(mix(mix(this.#seed ^ hash) ^ low) ^ high) + nth));
  }
}
