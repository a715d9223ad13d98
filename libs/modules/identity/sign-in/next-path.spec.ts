import { safeNext } from './next-path.js';

describe('where people go after signing in', () => {
  it.each([
    ['/docs', '/docs'],
    ['/app/settings?tab=xero#top', '/app/settings?tab=xero#top'],
    ['/workflow/xero/sync/progress/', '/workflow/xero/sync/progress/'],
    ['/a b', '/a%20b'],
    ['/ä', '/%C3%A4'],
  ])('%s is a path of this site', (asked, next) => expect(safeNext(asked)).toBe(next));

  it.each([
    undefined,
    '',
    ['/docs'],
    'docs',
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/\n\\evil.example',
    '\\\\evil.example',
    '/.//evil.example',
    '/x/..//evil.example',
    'javascript:alert(1)',
    '/sign-in?next=/sign-in',
    '/sign-out',
    '/' + 'a'.repeat(3000),
  ])('%j leads to the default', (asked) => expect(safeNext(asked)).toBe('/docs'));

  it('never lets a line break into the header', () => {
    expect(safeNext('/docs\r\nSet-Cookie: a=b')).not.toMatch(/[\r\n]/);
  });
});
