/** An answer with its body read: parsed when it is JSON, text otherwise. */
export interface Answer<Body = Record<string, never>> {
  status: number;
  headers: Headers;
  body: Body;
}

/** Real HTTP with an identity's headers. */
export class Client {
  constructor(
    readonly url: string,
    readonly headers: Record<string, string> = {},
  ) {}

  get = <B = Json>(path: string, headers?: Record<string, string>) =>
    this.send<B>('GET', path, undefined, headers);
  post = <B = Json>(path: string, body?: unknown, headers?: Record<string, string>) =>
    this.send<B>('POST', path, body, headers);
  put = <B = Json>(path: string, body?: unknown, headers?: Record<string, string>) =>
    this.send<B>('PUT', path, body, headers);
  patch = <B = Json>(path: string, body?: unknown, headers?: Record<string, string>) =>
    this.send<B>('PATCH', path, body, headers);
  delete = <B = Json>(path: string, headers?: Record<string, string>) =>
    this.send<B>('DELETE', path, undefined, headers);

  /** @param body an object goes as JSON; a string or buffer as it is, with the content type given */
  async send<B>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<B>> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...this.headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') && text !== '';
    return {
      status: response.status,
      headers: response.headers,
      body: (json ? JSON.parse(text) : text) as B,
    };
  }
}

/** JSON that the test looks into by its own means. */
export type Json = Record<string, unknown>;
