/** One answer, with its body as JSON where it is JSON. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: Record<string, unknown>;
}

export interface Ask {
  body?: unknown;
  form?: Record<string, string>;
  headers?: Record<string, string>;
}

/** Plain HTTP to a running API; redirects are answers too. */
export const http =
  (origin: string) =>
  async (method: string, path: string, { body, form, headers }: Ask = {}): Promise<Answer> => {
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(origin + path, {
      method,
      redirect: 'manual',
      headers: { ...json, ...headers },
      body: form ? new URLSearchParams(form) : body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  };

export type Http = ReturnType<typeof http>;

export const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` });

/** What a browser keeps of an answer's cookies, name to value; cleared ones are gone. */
export function cookiesOf(answer: Answer, before: Record<string, string> = {}): Record<string, string> {
  const jar = { ...before };
  for (const line of answer.headers.getSetCookie()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value === '') delete jar[name];
    else jar[name] = decodeURIComponent(value);
  }
  return jar;
}

export const cookieHeader = (jar: Record<string, string>) => ({
  cookie: Object.entries(jar)
    .map(([name, value]) => `${name}=${value}`)
    .join('; '),
});

/** Signs in through the page as a browser does, without scripts. */
export async function signInByPage(ask: Http, email: string, password: string, next = '/docs') {
  const page = await ask('GET', `/sign-in?next=${encodeURIComponent(next)}`);
  const jar = cookiesOf(page);
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.text)?.[1] ?? '';
  const form = { email, password, nonce: field('nonce'), next: field('next') };
  const answer = await ask('POST', '/sign-in', { form, headers: cookieHeader(jar) });
  return { answer, jar: cookiesOf(answer, jar), form };
}
