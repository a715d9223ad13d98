import { TooManyAttempts, network } from './sign-in-limits.js';

describe('the address that tries are counted for', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [null, 'unknown'],
  ])('of %s is %s', (address, counted) => expect(network(address)).toBe(counted));
});

it.each([
  [400, '1 seconds', '1'],
  [60_000, '60 seconds', '60'],
  [899_001, '15 minutes', '900'],
])('a wait of %d ms is told as %s', (ms, text, seconds) => {
  const error = new TooManyAttempts('pair', ms, true);
  expect(error.message).toContain(`in ${text.replace('1 seconds', '1 second')}`);
  expect(error.options.headers).toEqual({ 'retry-after': seconds });
});
