import { testConfig } from '#testing/config.js';
import { Cipher } from './cipher.js';

const KEYS = { a: `a:${'11'.repeat(32)}`, b: `b:${'22'.repeat(32)}` };
const cipher = (...keys: (keyof typeof KEYS)[]) =>
  new Cipher(testConfig('postgres://x/y', { ENCRYPTION_KEYS: keys.map((key) => KEYS[key]).join(',') }));

it('gives back what it took, and shows nothing of it', () => {
  for (const plain of ['', 'secret', 'Søn 🫖 \n', 'x'.repeat(100_000)]) {
    const text = cipher('a').encrypt(plain, 'here');
    expect(cipher('a').decrypt(text, 'here')).toBe(plain);
    expect(text).toMatch(/^v1\.a\.[\w-]+\.[\w-]+\.[\w-]*$/);
    if (plain) expect(text).not.toContain(plain);
  }
});

it('never writes the same twice', () => {
  const texts = Array.from({ length: 100 }, () => cipher('a').encrypt('same', 'here'));
  expect(new Set(texts).size).toBe(100);
});

it('is bound to its place', () => {
  const text = cipher('a').encrypt('secret', 'connection:1:token');
  expect(() => cipher('a').decrypt(text, 'connection:2:token')).toThrow();
  expect(() => cipher('a').decrypt(text, '')).toThrow();
});

it('notices every change', () => {
  const text = cipher('a').encrypt('secret', 'here');
  const [version, id, ...parts] = text.split('.');
  parts.forEach((part, index) => {
    const other = parts.map((p, i) => (i === index ? `${p.startsWith('A') ? 'B' : 'A'}${part.slice(1)}` : p));
    expect(() => cipher('a').decrypt([version, id, ...other].join('.'), 'here')).toThrow();
  });
});

it.each(['', 'plain text', 'v2.a.x.y.z', 'v1.a', 'v1.a.x.y', 'v1..x.y.z'])('refuses %j', (text) => {
  expect(() => cipher('a').decrypt(text, 'here')).toThrow();
});

it('refuses a tag that was cut short', () => {
  const [version, id, iv, tag, data] = cipher('a').encrypt('secret', 'here').split('.');
  expect(() => cipher('a').decrypt([version, id, iv, tag?.slice(0, 6), data].join('.'), 'here')).toThrow();
});

describe('rotation', () => {
  it('writes by the first key and reads by all', () => {
    const old = cipher('a').encrypt('secret', 'here');
    const rotated = cipher('b', 'a');
    expect(rotated.decrypt(old, 'here')).toBe('secret');
    expect(rotated.encrypt('secret', 'here')).toMatch(/^v1\.b\./);
    expect([rotated.isOutdated(old), rotated.isOutdated(rotated.encrypt('x', 'y'))]).toEqual([true, false]);
  });

  it('says which key it misses, not what it has', () => {
    const old = cipher('a').encrypt('secret', 'here');
    expect(() => cipher('b').decrypt(old, 'here')).toThrow('encryption key "a" is not among ENCRYPTION_KEYS');
  });

  it('does not take another key that has the same name', () => {
    const other = new Cipher(testConfig('postgres://x/y', { ENCRYPTION_KEYS: `a:${'33'.repeat(32)}` }));
    expect(() => other.decrypt(cipher('a').encrypt('secret', 'here'), 'here')).toThrow();
  });
});
