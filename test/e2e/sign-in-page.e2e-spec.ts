import { existsSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type Page, chromium } from 'playwright-core';
import { type TestApi, startApi } from '#testing/app.js';
import { http } from './identity-http.js';
import { PASSWORD, type Person, firstAdmin, person } from './identity-people.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
const LOOKS = (['light', 'dark'] as const).flatMap((colorScheme) => [
  { colorScheme, name: `phone-${colorScheme}`, viewport: { width: 360, height: 740 } },
  { colorScheme, name: `desktop-${colorScheme}`, viewport: { width: 1280, height: 800 } },
]);

if (!CHROMIUM)
  process.stderr.write('no Chromium on this machine: the sign-in page is tested over HTTP only\n');

/** Runs in the page, so it is text. */
const VISIBLE_INPUTS = `[...document.querySelectorAll('input:not([type=hidden])')]`;

const withBrowser = CHROMIUM ? describe : describe.skip;

withBrowser('the sign-in page in a browser', () => {
  const shots = mkdtempSync(join(tmpdir(), 'instep-sign-in-'));
  let api: TestApi;
  let browser: Browser;
  let viewer: Person;

  beforeAll(async () => {
    api = await startApi();
    const ask = http(api.url);
    viewer = await person(ask, await firstAdmin(ask, api.config), 'viewer');
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser.close();
    await api.close();
  });

  /** Fails on anything that the page's own policy blocks or that is missing. */
  async function open(options: object, path = '/sign-in'): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      const aboutStatus = /status of (400|401|403|429)|favicon/.test(
        `${message.text()} ${message.location().url}`,
      );
      if (message.type() === 'error' && !aboutStatus) complaints.push(message.text());
    });
    await page.goto(api.url + path);
    return { page, complaints };
  }

  const submit = async (page: Page, email: string, password: string) => {
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };

  it('signs in without scripts and goes on', async () => {
    const { page, complaints } = await open({ javaScriptEnabled: false }, '/sign-in?next=/health');
    expect(await page.title()).toBe('Sign in · Instep');
    await submit(page, viewer.email, PASSWORD);
    await page.waitForURL('**/health');
    const names = (await page.context().cookies()).map((cookie) => cookie.name).sort();
    expect(names).toEqual(['instep_csrf', 'instep_session']);
    expect(complaints).toEqual([]);

    await page.goto(`${api.url}/sign-in`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('**/sign-in');
    expect(await page.getByRole('heading').innerText()).toBe('Sign in');
    expect(await page.context().cookies(`${api.url}/`)).toEqual([]);
  });

  it('works from the keyboard alone, and helps password managers', async () => {
    const { page } = await open({});
    expect(await page.locator(':focus').getAttribute('id')).toBe('email');
    await page.keyboard.type(viewer.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type('not the password');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.innerText()).toContain('wrong');
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(viewer.email);
    expect(await page.locator(':focus').getAttribute('id')).toBe('password');
    expect(await page.locator(':focus').getAttribute('aria-describedby')).toBe('error');
    const hints = await page.evaluate(`${VISIBLE_INPUTS}.map((input) => input.autocomplete)`);
    expect(hints).toEqual(['username', 'current-password']);
  });

  it.each(LOOKS)('fits and is seen: $name', async ({ name, ...options }) => {
    const { page, complaints } = await open(options, '/sign-in?next=/health');
    await page.screenshot({ path: join(shots, `${name}.png`) });
    await submit(page, viewer.email, 'not the password');
    await page.getByRole('alert').waitFor();
    await page.screenshot({ path: join(shots, `${name}-error.png`) });
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(options.viewport.width);
    const heights = await page.evaluate<number[]>(`${VISIBLE_INPUTS}.map((input) => input.offsetHeight)`);
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(44);
    expect(statSync(join(shots, `${name}.png`)).size).toBeGreaterThan(1000);
    await submit(page, viewer.email, PASSWORD);
    await page.waitForURL('**/health');
    await page.goto(`${api.url}/sign-in?next=/health`);
    await page.screenshot({ path: join(shots, `${name}-signed-in.png`) });
    expect(complaints).toEqual([]);
  });
});
