import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSecrets, markAdminShown, prepareDataDir, readOrMakeSecret } from './secrets.js';

let parent: string;
let dataDir: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'instep-secrets-'));
  dataDir = join(parent, 'data');
  prepareDataDir(dataDir);
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

describe('generated secrets', () => {
  it('are made once, fit their form, and are readable by us alone', () => {
    const first = loadSecrets(dataDir, {});
    expect(first.ENCRYPTION_KEYS).toMatch(/^k1:[0-9a-f]{64}$/);
    expect(first.JWT_SECRET).toMatch(/^[0-9a-f]{64}$/);
    expect(first.ADMIN_EMAIL).toBe('admin@instep.local');
    expect(first.ADMIN_PASSWORD.length).toBeGreaterThanOrEqual(20);
    expect(loadSecrets(dataDir, {})).toEqual(first);
    const folder = join(dataDir, 'secrets');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).sort()).toEqual(['admin.json', 'keys.json']);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it('give way to the environment, value by value', () => {
    const given = {
      ENCRYPTION_KEYS: `x:${'0'.repeat(64)}`,
      ADMIN_PASSWORD: 'mine-and-long',
      ADMIN_EMAIL: 'me@example.com',
    };
    const secrets = loadSecrets(dataDir, given);
    expect(secrets).toMatchObject({ ...given, adminFile: undefined, showPassword: false });
    expect(secrets.JWT_SECRET).toMatch(/^[0-9a-f]{64}$/);
    expect(readdirSync(join(dataDir, 'secrets'))).toEqual(['keys.json']);
  });

  it('show the password until it was shown once', () => {
    expect(loadSecrets(dataDir, {}).showPassword).toBe(true);
    markAdminShown(dataDir);
    const later = loadSecrets(dataDir, {});
    expect(later.showPassword).toBe(false);
    // The file is the body of a sign-in, as the example in the terminal uses it.
    expect(JSON.parse(readFileSync(later.adminFile ?? '', 'utf8'))).toEqual({
      email: later.ADMIN_EMAIL,
      password: later.ADMIN_PASSWORD,
    });
  });

  it('are never made anew over a damaged file, and its content stays out of the message', () => {
    writeFileSync(join(dataDir, 'secrets', 'keys.json'), '{"JWT_SECRET": "deadbeef');
    expect(() => loadSecrets(dataDir, {})).toThrow(/keys\.json cannot be read: it is not JSON/);
    expect(() => loadSecrets(dataDir, {})).not.toThrow(/deadbeef/);
  });

  it('stay missing when they may not be made', () => {
    expect(readOrMakeSecret(dataDir, 'postgres.json', () => ({ password: 'x' }), false)).toBeUndefined();
  });
});

describe('the data folder', () => {
  it('keeps the mode of a folder that holds other things', () => {
    const other = join(parent, 'other');
    mkdirSync(other, { mode: 0o755 });
    writeFileSync(join(other, 'letter.txt'), '');
    prepareDataDir(other);
    expect(statSync(other).mode & 0o777).toBe(0o755);
    expect(statSync(join(other, 'secrets')).mode & 0o777).toBe(0o700);
  });

  it('is refused with a sentence where it cannot be', () => {
    writeFileSync(join(parent, 'file'), '');
    expect(() => prepareDataDir(join(parent, 'file', 'data'))).toThrow(/cannot be used.*\nSet DATA_DIR/);
  });
});
