const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);

const STYLE = `
:root { color-scheme: light dark; --bg: #f2f4f7; --card: #fff; --text: #171a21; --soft: #5a6272; --line: #868ea0;
  --edge: #dde1e8; --brand: #1d5fd0; --brand-press: #174da9; --on-brand: #fff; --bad: #a91d1d; --bad-bg: #fdf0f0; --bad-edge: #efc2c2; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #0f1218; --card: #191d26; --text: #eceff5; --soft: #a3acbd; --line: #737d90; --edge: #2a303c;
    --brand: #82b1ff; --brand-press: #a9c9ff; --on-brand: #0c1424; --bad: #ffb4b4; --bad-bg: #351a1d; --bad-edge: #6d3237; }
}
* { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 1.5rem 1rem;
  background: var(--bg); color: var(--text); }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card); border: 1px solid var(--edge); border-radius: 14px;
  box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .08); }
.brand { display: flex; align-items: center; gap: .6rem; margin: 0 0 1.5rem; font-weight: 650; letter-spacing: -.01em; }
.brand svg { display: block; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.02em; }
.lead { margin: 0 0 1.5rem; color: var(--soft); overflow-wrap: anywhere; }
label { display: block; margin: 1.1rem 0 .35rem; font-weight: 550; font-size: .95rem; }
input { display: block; width: 100%; padding: .7rem .8rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: 9px; }
input[aria-invalid=true] { border-color: var(--bad); }
button, .button { display: block; width: 100%; margin-top: 1.6rem; padding: .75rem 1rem; font: inherit; font-weight: 600; text-align: center;
  text-decoration: none; color: var(--on-brand); background: var(--brand); border: 1px solid var(--brand); border-radius: 9px; cursor: pointer; }
button:hover, .button:hover { background: var(--brand-press); border-color: var(--brand-press); }
button.quiet { margin-top: .75rem; color: inherit; background: transparent; border-color: var(--line); }
button.quiet:hover { border-color: var(--text); }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; }
.alert { margin: 0 0 1.25rem; padding: .75rem .9rem; color: var(--bad); background: var(--bad-bg); border: 1px solid var(--bad-edge); border-radius: 9px;
  font-size: .95rem; }
.hint { margin: 1.25rem 0 0; font-size: .875rem; color: var(--soft); }
@media (max-width: 26rem) { body { place-items: start center; } main { padding: 1.5rem 1.25rem; } }
`;

/** Two steps side by side: what the name means. */
const LOGO = `<svg width="28" height="28" viewBox="0 0 28 28" aria-hidden="true"><rect width="28" height="28" rx="7" fill="var(--brand)"/>
<path d="M8 20V13M8 13h5V8M15 20v-7M15 13h5V8" fill="none" stroke="var(--on-brand)" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>`;

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="referrer" content="same-origin">
<title>${escapeHtml(title)} · Instep</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="brand">${LOGO}<span>Instep</span></p>
${content}
</main>
</body>
</html>
`;
}

export interface SignInForm {
  /** A path of this site, already judged. */
  next: string;
  nonce: string;
  email: string;
  error: string | null;
}

/** The form. It works without scripts; after an error the cursor is where the mistake probably is. */
export function signInPage({ next, nonce, email, error }: SignInForm): string {
  const wrong = error === null ? '' : ' aria-invalid="true" aria-describedby="error"';
  const alert = error === null ? '' : `<p class="alert" id="error" role="alert">${escapeHtml(error)}</p>`;
  const [atEmail, atPassword] = email === '' ? [' autofocus', ''] : ['', ' autofocus'];
  return page(
    error === null ? 'Sign in' : 'Not signed in',
    `<h1>Sign in</h1>
<p class="lead">Use your Instep account.</p>
${alert}
<form method="post" action="/sign-in">
<input type="hidden" name="next" value="${escapeHtml(next)}">
<input type="hidden" name="nonce" value="${escapeHtml(nonce)}">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="254" required value="${escapeHtml(email)}"${wrong}${atEmail}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="200" required${wrong}${atPassword}>
<button type="submit">Sign in</button>
</form>
<p class="hint">Forgot your password? An administrator can set a new one.</p>`,
  );
}

/** For who comes back to the page although signed in. */
export function signedInPage({ label, next, csrf }: { label: string; next: string; csrf: string }): string {
  return page(
    'Signed in',
    `<h1>You are signed in</h1>
<p class="lead">As ${escapeHtml(label)}.</p>
<a class="button" href="${escapeHtml(next)}">Continue</a>
<form method="post" action="/sign-out">
<input type="hidden" name="csrf_token" value="${escapeHtml(csrf)}">
<button class="quiet" type="submit">Sign out</button>
</form>`,
  );
}
