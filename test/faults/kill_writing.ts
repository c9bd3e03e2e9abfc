/** Writes logs around and during the lives of an agent that is killed again and again. */
import type { Random } from "./random.ts";
import { PAST_MS } from "./scene.ts";
import type { Scene } from "./scene.ts";
import type { LogFile } from "./writer.ts";

const HOUR_MS = 3_600_000;

/** Between two writes to a living agent: some fall into every flush. */
const WRITE_EVERY_MS = 30;

/** Smaller files are known by their inode alone: a copy of one is another file. */
const COPIED_BYTES_MIN = 2_048;

export class KillWriting {
  private readonly files: LogFile[];
  private hour = 0;

  constructor(private readonly scene: Scene, private readonly random: Random) {
    this.files = [scene.log("web"), scene.log("shop"), scene.log("api", "json")];
  }

  /** Lines that were written to their ends. */
  get wholeLines(): number {
    return this.scene.numbers.count - this.files.filter((file) => !file.isWhole).length;
  }

  /** While the agent is down: rotates some files, and writes to each. */
  betweenLives(isNewHour: boolean) {
    if (isNewHour) this.hour++;
    for (const file of this.files) {
      if (file.size > 0 && this.random.chance(0.1)) file.rename();
      file.append(this.random.between(1, 30), this.time());
    }
  }

  /** Writes, and rotates at times, until disposed of. */
  go(): Disposable {
    const timer = setInterval(() => this.writeSome(), WRITE_EVERY_MS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  finishAll() {
    for (const file of this.files) file.finish();
  }

  /** While every line is durable: copies a file and empties it, and writes on. */
  whileCaughtUp() {
    const file = this.random.pick(this.files);
    if (file.size < COPIED_BYTES_MIN) return;
    file.copyTruncate();
    file.append(1, this.time());
  }

  /** While every line is durable and no agent lives: deletes most of the rotated files. */
  deleteOld() {
    for (const file of this.files) {
      for (const path of file.rotated()) if (this.random.chance(0.7)) Deno.removeSync(path);
    }
  }

  private writeSome() {
    const { random } = this;
    const file = random.pick(this.files);
    const action = random.fraction();
    if (action < 0.03 && file.size > 0) file.rename();
    else if (action < 0.15) file.begin(this.time(), random.fraction());
    else if (action < 0.2) file.appendBroken(this.time());
    else file.append(random.between(1, 10), () => this.time());
  }

  /** Mostly the newest hour, at times an earlier one. */
  private time(): number {
    const back = this.random.chance(0.02) ? this.random.between(1, 3) : 0;
    return PAST_MS + (this.hour - back) * HOUR_MS + this.random.between(0, 3_599) * 1_000;
  }
}
