import { Injectable, Module, type Type } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { Metrics } from '#platform/observability/metrics.js';
import { JobRegistry, matchHandlers } from '#platform/queue/job-registry.js';
import { Handles, type JobHandler, defineJob, definedJobs } from '#platform/queue/job.js';
import { defineTopic } from '#platform/streams/topic.js';

const job = (name: string) => ({ queue: 'events', name, attempts: 1 }) as const;
const handler: JobHandler<object> = { handle: () => Promise.resolve() };

describe('every job has exactly one handler', () => {
  it('and is handed to it', () => {
    const handlers = matchHandlers(
      [job('a'), job('b')],
      [
        { job: 'a', handler },
        { job: 'b', handler },
      ],
    );
    expect([...handlers.keys()]).toEqual(['a', 'b']);
  });

  it('none is seen', () => {
    expect(() => matchHandlers([job('a'), job('b')], [{ job: 'a', handler }])).toThrow(
      'job "b" has 0 handlers, not one',
    );
  });

  it('two are seen', () => {
    const twice = [
      { job: 'a', handler },
      { job: 'a', handler },
    ];
    expect(() => matchHandlers([job('a')], twice)).toThrow('job "a" has 2 handlers, not one');
  });

  it('a handler of a job that nobody defined is seen', () => {
    expect(() => matchHandlers([], [{ job: 'ghost', handler }])).toThrow('unknown job "ghost"');
  });

  it('all mistakes are told at once', () => {
    expect(() => matchHandlers([job('a'), job('b')], [{ job: 'c', handler }])).toThrow(/"a".*"b".*"c"/);
  });
});

describe('a worker', () => {
  const LONELY = defineJob('events', 'test.lonely');

  @Injectable()
  @Handles(LONELY)
  class First implements JobHandler<object> {
    handled = 0;
    handle(): Promise<void> {
      this.handled++;
      return Promise.resolve();
    }
  }
  @Injectable()
  @Handles(LONELY)
  class Second extends First {}

  async function boot(providers: Type[]) {
    @Module({ imports: [DiscoveryModule], providers: [Metrics, JobRegistry, ...providers] })
    class TinyWorker {}
    return NestFactory.createApplicationContext(TinyWorker, { logger: false, abortOnError: false });
  }

  it('does not boot without the handler of a job, nor with two', async () => {
    await expect(boot([])).rejects.toThrow('job "test.lonely" has 0 handlers, not one');
    await expect(boot([First, Second])).rejects.toThrow('job "test.lonely" has 2 handlers, not one');
  });

  it('hands a job to its handler, and knows no other', async () => {
    const app = await boot([First]);
    const registry = app.get(JobRegistry);
    const envelope = {
      data: {},
      context: { correlationId: 'x', actor: { kind: 'system', id: null, label: 'system' }, address: null },
    } as const;
    const context = { id: '1', signal: new AbortController().signal };
    await registry.dispatch('test.lonely', envelope, context);
    expect(app.get(First).handled).toBe(1);
    await expect(registry.dispatch('unknown', envelope, context)).rejects.toThrow(
      'no handler for job "unknown"',
    );
    await app.close();
  });
});

describe('names', () => {
  it('of jobs and topics are given once', () => {
    defineJob('events', 'test.once');
    expect(() => defineJob('sessions', 'test.once')).toThrow('job "test.once" is defined twice');
    defineTopic('test.topic');
    expect(() => defineTopic('test.topic')).toThrow('topic "test.topic" is defined twice');
    expect(definedJobs().filter(({ name }) => name === 'test.once')).toHaveLength(1);
  });

  it('of functions that render events are schema.function, so that they can stand in SQL', () => {
    for (const render of ['render', 'a.b; drop table x', 'A.b', 'a.b.c', 'a."b"'])
      expect(() => defineTopic(`test.${render}`, { render })).toThrow('is not schema.function');
  });
});
