import { rmSync } from 'node:fs';

export default async function tearDown() {
  const { server, dataDir } = globalThis.__INSTEP_TEST_SERVER__ ?? {};
  await server?.stop('immediate');
  if (dataDir) rmSync(dataDir, { recursive: true, force: true });
}
