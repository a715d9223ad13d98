export default async function tearDown() {
  await globalThis.__INSTEP_TEST_SERVER__?.stop('immediate');
}
