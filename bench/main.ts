import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.js';
import { importFiles } from './import.js';
import { list } from './list.js';
import { type Report, passes, table } from './measure.js';
import { memory } from './memory.js';
import { NodeProcess } from './node-process.js';
import { BenchServer } from './server.js';
import { single } from './single.js';
import { streams } from './streams.js';

const BENCHMARKS: Record<string, (bench: Bench) => Promise<Report>> = {
  list,
  import: importFiles,
  single,
  streams,
  memory,
};
const USAGE = `npm run bench -- [${Object.keys(BENCHMARKS).join('|')}]... [--quick] [--json FILE]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const unknown = positionals.filter((name) => !BENCHMARKS[name]);
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}.\n${USAGE}`);
  process.exit(2);
}
const wanted = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);

const report: Report = [];
const server = await BenchServer.start();
let stopping = false;
const stop = async () => {
  if (stopping) return;
  stopping = true;
  await NodeProcess.stopAll();
  await server.stop();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void stop().finally(() => process.exit(130)));
}

try {
  for (const name of wanted) {
    console.log(`${name}${values.quick ? ' (quick: sizes too small for a verdict)' : ''}`);
    const run = BENCHMARKS[name];
    report.push(
      ...((await run?.({ server, quick: values.quick, say: (line) => console.log(`  ${line}`) })) ?? []),
    );
  }
} finally {
  await stop();
}

console.log(`\n${table(report)}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify({ quick: values.quick, report }, null, 2)}\n`);
process.exitCode = report.every((entry) => 'why' in entry || passes(entry)) ? 0 : 1;
