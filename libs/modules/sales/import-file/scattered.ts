/**
 * Finds the invoice numbers that stand in more than one place of a file. Numbers are kept as 30-bit hashes, so that a
 * file of half a million invoices takes a few megabytes; two that share a hash are at worst taken for scattered.
 */
export class Scattered {
  private readonly places = new Map<number, number>();
  private readonly found = new Set<number>();

  /** @param place numbers seen twice in one place are not scattered */
  see(invoiceNo: string, place: number): void {
    const hash = hashOf(invoiceNo);
    const before = this.places.get(hash);
    if (before === undefined) this.places.set(hash, place);
    else if (before !== place) this.found.add(hash);
  }

  /** The survey is over: what only it needed is dropped. */
  close(): this {
    this.places.clear();
    return this;
  }

  has(invoiceNo: string): boolean {
    return this.found.size > 0 && this.found.has(hashOf(invoiceNo));
  }
}

/** FNV-1a, cut to what V8 keeps without an allocation. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) & 0x3fffffff;
}
