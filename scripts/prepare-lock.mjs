/** One prepare at a time in a clone, however it was started. Plain Node, no dependency. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const GIVE_UP_AFTER_MS = 15 * 60_000;

/**
 * Waits until no other living process holds the lock, then takes it.
 * @param {string} file the lock file; it names the process that holds it
 * @param {() => void} onWait called once when there is somebody to wait for
 * @returns {Promise<{release: () => void, share: (pid: number) => void}>} `release` gives it back; `share` keeps it
 *   held for as long as that child runs too, should we be killed: an npm that goes on installing is still there
 */
export async function takeLock(file, onWait) {
  const mine = `${file}.${process.pid}`;
  const self = identity(process.pid);
  let token = JSON.stringify([self]);
  writeFileSync(mine, token);
  try {
    let told = false;
    for (const since = Date.now(); ; await sleep(200)) {
      if (tryLink(mine, file)) {
        // A slower process may take the lock for the dead one's that it has just read: look again.
        await sleep(20);
        if (read(file) !== token) continue;
        const share = (pid) => {
          if (read(file) !== token) return;
          token = JSON.stringify([self, identity(pid)]);
          writeFileSync(mine, token);
          renameSync(mine, file);
        };
        return { share, release: () => read(file) === token && rmSync(file, { force: true }) };
      }
      const held = read(file);
      if (held === undefined) continue;
      if (!isHeld(held)) {
        discard(file, held);
        continue;
      }
      if (!told) onWait();
      told = true;
      if (Date.now() - since > GIVE_UP_AFTER_MS)
        throw new Error(`${file} is still held after 15 minutes; remove it if nothing is installing.`);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** A hard link appears with its content, all or nothing; where there are none, an exclusive write does. */
function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
  }
  try {
    writeFileSync(to, readFileSync(from), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead process's lock away; a living one's that was caught by mistake is put back. */
function discard(file, expected) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (read(aside) !== expected) tryLink(aside, file);
  rmSync(aside, { force: true });
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function identity(pid) {
  return { pid, started: startOf(pid) };
}

function isHeld(content) {
  try {
    return JSON.parse(content).some(isRunning);
  } catch {
    return false;
  }
}

function isRunning({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  return started === null || startOf(pid) === started;
}

/** Start time of a process in clock ticks, so that a reused number is not taken for the same process. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'dead' : fields[19];
  } catch {
    return null;
  }
}
