/** Where people go when nothing better was asked for. */
export const DEFAULT_NEXT = '/docs';

const ORIGIN = 'http://instep.invalid';

/**
 * The page to go on to after signing in: a path of this site, whatever was asked for. It is read as a browser
 * would read it (which drops tabs, takes `\` for `/` and resolves dots), and judged by where that leads.
 */
export function safeNext(asked: unknown): string {
  if (typeof asked !== 'string' || !asked.startsWith('/') || asked.length > 2000) return DEFAULT_NEXT;
  if (!URL.canParse(asked, ORIGIN)) return DEFAULT_NEXT;
  const { origin, pathname, search, hash } = new URL(asked, ORIGIN);
  if (origin !== ORIGIN || pathname.startsWith('//') || /^\/sign-(in|out)\/*$/.test(pathname))
    return DEFAULT_NEXT;
  return pathname + search + hash;
}
