/** A reason not to start that its reader can act on: one clear sentence, and what to do next. Printed without a stack. */
export class StartError extends Error {
  constructor(sentence: string, next?: string) {
    super(next ? `${sentence}\n${next}` : sentence);
    this.name = 'StartError';
  }
}
