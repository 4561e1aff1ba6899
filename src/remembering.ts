/**
 * A pure function whose answers are kept. At most `most` of them, for keys of at most `longest` characters: when there are more it begins anew,
 * because what comes often is soon back. An answer that is undefined is made each time.
 */
export function remembering<V>(
  make: (key: string) => V,
  { most, longest }: { readonly most: number; readonly longest: number },
): (key: string) => V {
  const known = new Map<string, V>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(key);
    if (key.length > longest) return made;
    if (known.size >= most) known.clear();
    known.set(key, made);
    return made;
  };
}

/** The same for objects that do not change: what was made of one is kept for as long as the object itself. */
export function rememberingOf<K extends object, V extends object>(make: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(key);
    known.set(key, made);
    return made;
  };
}
