import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const LIMIT_BYTES = 20 * 1024 * 1024;

/** A log file that starts anew when it has grown too large; one older file is kept beside it as `<file>.1`. */
export class RotatingLog {
  private handle: number;
  private size: number;

  /** @param limitBytes size at which the file is put aside */
  constructor(
    private readonly file: string,
    private readonly limitBytes = LIMIT_BYTES,
  ) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.handle = openSync(file, 'a', 0o600);
    this.size = fstatSync(this.handle).size;
  }

  write(line: string): void {
    if (this.handle < 0) return;
    const bytes = Buffer.from(`${line}\n`);
    if (this.size > 0 && this.size + bytes.length > this.limitBytes) this.rotate();
    try {
      this.size += writeSync(this.handle, bytes);
    } catch (error) {
      // A full disk must not stop the business; the lines are lost, the processes go on.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  close(): void {
    if (this.handle >= 0) closeSync(this.handle);
    this.handle = -1;
  }

  private rotate(): void {
    closeSync(this.handle);
    if (existsSync(this.file)) renameSync(this.file, `${this.file}.1`);
    this.handle = openSync(this.file, 'a', 0o600);
    this.size = 0;
  }
}
