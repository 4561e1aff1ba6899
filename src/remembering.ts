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
