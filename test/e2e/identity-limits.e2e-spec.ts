import { Passwords } from '#modules/identity/passwords.js';
import { SignInLimits } from '#modules/identity/sign-in/sign-in-limits.js';
import { type TestApi, startApi } from '#testing/app.js';
import { http } from './identity-http.js';
import { firstAdmin } from './identity-people.js';

let api: TestApi;
let limits: SignInLimits;
let email: string;

beforeAll(async () => {
  api = await startApi();
  limits = new SignInLimits(api.db);
  email = (await firstAdmin(http(api.url), api.config)).email;
});
beforeEach(() => api.db.execute('delete from platform.rate_limit'));
afterAll(() => api.close());

const address = (n: number) => `203.0.${Math.floor(n / 200)}.${(n % 200) + 1}`;
const tries = async (count: number, nth: (n: number) => [email: string, address: string]) => {
  const results: string[] = [];
  for (let n = 0; n < count; n++) {
    const take = limits.take(...nth(n));
    results.push(
      await take.then(
        () => 'ok',
        (error: unknown) => String((error as { rule?: string }).rule ?? error),
      ),
    );
  }
  return results;
};
const count = (results: string[], what: string) => results.filter((result) => result === what).length;

it('a short wait for a few failures, a long one for who goes on', async () => {
  const pair: [string, string] = ['a@b.example', address(1)];
  const forget = () =>
    api.db.execute(`delete from platform.rate_limit where key like 'identity.sign_in.pair:%'`);
  const rounds: string[][] = [];
  for (let round = 0; round < 5; round++) {
    rounds.push(await tries(5, () => pair));
    await forget();
  }
  expect(rounds.slice(0, 4).flat()).toEqual(Array(20).fill('ok'));
  expect(rounds[4]).toEqual(Array(5).fill('pair_day'));
});

it('one address, many accounts', async () => {
  const results = await tries(105, (n) => [`${n}@b.example`, address(1)]);
  expect([count(results, 'ok'), count(results, 'address')]).toEqual([100, 5]);
  expect(await tries(1, () => ['other@b.example', address(2)])).toEqual(['ok']);
});

it('one account, many addresses; but not for its owner, where he signed in before', async () => {
  const results = await tries(55, (n) => [email, address(n)]);
  expect([count(results, 'ok'), count(results, 'account')]).toEqual([50, 5]);
  const [session] = await api.db.query<{ address: string }>('select address from identity.session limit 1');
  expect(await tries(1, () => [email, String(session?.address)])).toEqual(['ok']);
  expect(await tries(1, () => [email, address(90)])).toEqual(['account']);
});

it('one address alone cannot close an account to others', async () => {
  await tries(80, () => [email, address(1)]);
  expect(await tries(1, () => [email, address(2)])).toEqual(['ok']);
});

it('the right password gives back what was counted', async () => {
  for (let n = 0; n < 60; n++) {
    await limits.take(email, address(3));
    await limits.giveBack(email, address(3));
  }
  expect(await tries(5, () => [email, address(3)])).toEqual(Array(5).fill('ok'));
});

it('keeps neither names nor addresses', async () => {
  await limits.take(email, address(4));
  const keys = JSON.stringify(await api.db.query('select key from platform.rate_limit'));
  expect(keys).not.toContain(email);
  expect(keys).not.toContain(address(4));
});

it('passwords are stored as Argon2id, salted, and an older strength is seen', async () => {
  const passwords = new Passwords();
  const [one, two] = [
    await passwords.hash('a long enough password'),
    await passwords.hash('a long enough password'),
  ];
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,(t=2,p=1|p=1,t=2)\$/);
  expect(one).not.toBe(two);
  expect(await passwords.matches(one, 'a long enough password')).toBe(true);
  expect(await passwords.matches(one, 'a long enough passworD')).toBe(false);
  expect(await passwords.matches(undefined, '')).toBe(false);
  expect(passwords.isOutdated(one)).toBe(false);
  expect(passwords.isOutdated(one.replace('m=19456', 'm=4096'))).toBe(true);
});
