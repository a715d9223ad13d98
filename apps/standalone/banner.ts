import type { ListenAddress } from './listen-address.js';
import type { Secrets } from './secrets.js';

/** What the operator is told when everything is up. */
export interface BannerFacts {
  address: ListenAddress;
  dataDir: string;
  logDir: string;
  /** Where the database listens, without the password. */
  database: string;
  secrets: Secrets;
  seconds: number;
}

/** The lines printed when Instep is ready. The administrator's password is among them once in an installation's life. */
export function readyBanner(facts: BannerFacts): string {
  const { publicUrl } = facts.address;
  const lines = [
    '',
    `Instep is ready (${facts.seconds.toFixed(1)} s).`,
    '',
    `  API            ${publicUrl}/api`,
    `  Documentation  ${publicUrl}/docs`,
    `  Sign in        ${publicUrl}/sign-in`,
    '',
    `  E-mail         ${facts.secrets.ADMIN_EMAIL}`,
    `  Password       ${passwordLine(facts.secrets)}`,
    '',
    `  Data           ${facts.dataDir}`,
    `  Logs           ${facts.logDir}`,
    `  Database       ${facts.database}`,
    '',
    'Try it from another terminal:',
    '',
    ...example(facts).map((line) => `  ${line}`),
    '',
    'Ctrl-C stops everything; the data stays.',
    '',
  ];
  return lines.join('\n');
}

function passwordLine(secrets: Secrets): string {
  if (!secrets.adminFile) return 'the one given as ADMIN_PASSWORD';
  if (!secrets.showPassword) return `shown at the first start; kept in ${secrets.adminFile}`;
  return `${secrets.ADMIN_PASSWORD}   (shown this once; kept in ${secrets.adminFile})`;
}

/** Needs nothing but a shell, curl and the Node.js that runs us. */
function example({ address, secrets }: BannerFacts): string[] {
  const body = secrets.adminFile
    ? `@${quote(secrets.adminFile)}`
    : `"{\\"email\\":\\"${secrets.ADMIN_EMAIL}\\",\\"password\\":\\"$ADMIN_PASSWORD\\"}"`;
  return [
    `TOKEN=$(curl -s ${address.localUrl}/api/identity/login -H 'Content-Type: application/json' \\`,
    `  -d ${body} | node -pe 'JSON.parse(fs.readFileSync(0)).access_token')`,
    `curl -s "${address.localUrl}/api/sales/invoices/?page_size=2" -H "Authorization: Bearer $TOKEN"`,
  ];
}

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
