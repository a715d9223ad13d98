import type { OnApplicationShutdown } from '@nestjs/common';
import { type Attributes, SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { resourceFromAttributes } from '@opentelemetry/resources';

const tracer = trace.getTracer('instep');

/** Sends traces to an OTLP collector over HTTP. Without an endpoint nothing is registered and spans cost nothing. */
export class Tracing implements OnApplicationShutdown {
  private readonly provider: NodeTracerProvider | undefined;

  /** @param endpoint base URL as OTEL_EXPORTER_OTLP_ENDPOINT has it; `/v1/traces` is added */
  constructor(service: string, endpoint: string | undefined) {
    if (!endpoint) return;
    const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
    this.provider = new NodeTracerProvider({
      resource: resourceFromAttributes({ 'service.name': `instep-${service}` }),
      spanProcessors: [new BatchSpanProcessor(exporter)],
    });
    this.provider.register();
  }

  /** What was not sent yet goes out first. */
  async onApplicationShutdown(): Promise<void> {
    await this.provider?.shutdown().catch(() => undefined);
  }
}

/** Where a trace goes on: W3C headers, as they come with a request and travel in a job. */
export type TraceCarrier = Record<string, string>;

/**
 * Runs work inside a span; an error marks it and goes on its way.
 * @param from the trace it belongs to, when it is not the one at hand
 */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  from: TraceCarrier = {},
): Promise<T> {
  const parent = propagation.extract(context.active(), from);
  return tracer.startActiveSpan(name, { kind: SpanKind.INTERNAL, attributes }, parent, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The span of a request from its first byte to its answer. */
export interface RequestSpan {
  /** For the jobs that the request causes. */
  carrier: TraceCarrier;
  /** Runs the rest of the request inside the span. */
  run(next: () => void): void;
  end(route: string, status: number): void;
}

export function startRequestSpan(method: string, headers: Record<string, unknown>): RequestSpan {
  const parent = propagation.extract(context.active(), headers);
  const span = tracer.startSpan(
    method,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method } },
    parent,
  );
  const active = trace.setSpan(parent, span);
  const carrier: TraceCarrier = {};
  propagation.inject(active, carrier);
  return {
    carrier,
    run: (next) => context.with(active, next),
    end: (route, status) => {
      span.updateName(`${method} ${route}`);
      span.setAttributes({ 'http.route': route, 'http.response.status_code': status });
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}
