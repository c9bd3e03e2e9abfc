/** A program under test: a real process with its output captured, killed when the test is over. */
import { fileURLToPath } from "node:url";
import { SOURCE_FLAGS } from "../../protocol/process/own_process.ts";
import { PROGRAMS, v8Flag } from "../../deploy/build/programs.ts";

export interface ProgramOptions {
  /** @default Deno itself */
  command?: string;
  args: readonly string[];
  /** Added to this process's own. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Written to with `write`. @default nothing */
  stdin?: "piped";
}

/** What a program left when it ended. `code` is 128 + the signal's number after a signal. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** A wait for a line or for the end is over after this long, on a machine with ten times the work. */
const TIMEOUT_MS = 180_000;

/** After SIGTERM, a program has this long to end by itself. */
const STOP_TIMEOUT_MS = 20_000;

/**
 * After its end, a program's output is over when nothing came for so many turns of the event loop, each
 * of which looks for some: on a machine that has no time for this process they take longer.
 */
const SILENT_TURNS = 100;
const TURN_MS = 10;

/** As the tasks in deno.json have it. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: "1" };

/** The arguments that make Deno run one of our entry files, `agent/main.ts`. */
export function ourProgram(main: string, ...args: readonly string[]): string[] {
  const path = fileURLToPath(new URL(`../../${main}`, import.meta.url));
  const program = PROGRAMS.find(({ entry }) => entry === main);
  const settings = program === undefined ? [] : v8Flag(program);
  return ["run", "--no-prompt", ...SOURCE_FLAGS, "--allow-all", ...settings, path, ...args];
}

/** Starts a program; `await using` ends it with the block. */
export function startProgram(options: ProgramOptions): Program {
  const { command = Deno.execPath(), args, env, cwd, stdin = "null" } = options;
  const child = new Deno.Command(command, {
    args: [...args],
    stdin,
    stdout: "piped",
    stderr: "piped",
    env: { ...ENVIRONMENT, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  }).spawn();
  const input = stdin === "piped" ? child.stdin.getWriter() : null;
  return new Program(child, [command, ...args].join(" "), input);
}

/** Runs a program to its end. @throws when it takes longer than `timeoutMs` */
export async function runProgram(options: ProgramOptions, timeoutMs = TIMEOUT_MS): Promise<Ended> {
  await using program = startProgram(options);
  return await program.ended(timeoutMs);
}

/** A started program and what it has written so far. */
export class Program implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #lookers = new Set<() => void>();
  readonly #finished: Promise<number>;
  #hasFinished = false;

  constructor(
    private readonly child: Deno.ChildProcess,
    private readonly name: string,
    private readonly input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | null = null,
  ) {
    const cut = new AbortController();
    const read = Promise.all([
      this.#read(child.stdout, cut.signal, (text) => this.stdout += text),
      this.#read(child.stderr, cut.signal, (text) => this.stderr += text),
    ]);
    this.#finished = child.status.then(async ({ code }) => {
      // A killed program's own children may hold its output open for as long as they live.
      using silence = this.#silence();
      await Promise.race([read, silence.come]);
      cut.abort();
      await read;
      this.#hasFinished = true;
      this.#look();
      return code;
    });
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Writes to its input, which must be piped; without a text, that is its end. */
  async write(text?: string): Promise<void> {
    if (text === undefined) await this.input?.close();
    else await this.input?.write(new TextEncoder().encode(text));
  }

  /**
   * Resolves with the match of the first line, of either output, past or to come.
   * @throws when the program ends or the time is over without one
   */
  async waitForLine(
    pattern: RegExp,
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<RegExpExecArray> {
    const find = () =>
      [...this.stdout.split("\n"), ...this.stderr.split("\n")]
        .map((line) => pattern.exec(line)).find((match) => match !== null);
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = () => {
      const match = find();
      if (match !== undefined) resolve(match);
      else if (this.#hasFinished) reject(this.#failure(`ended without a line ${pattern}`));
    };
    const late = () => reject(this.#failure(`wrote no line ${pattern} within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    this.#lookers.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#lookers.delete(look);
    }
  }

  /** Resolves when the program has ended. @throws when that takes longer than `timeoutMs` */
  async ended(timeoutMs = TIMEOUT_MS): Promise<Ended> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(this.#failure(`did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      const code = await Promise.race([this.#finished, late.promise]);
      return { code, stdout: this.stdout, stderr: this.stderr };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a signal to this one process; no news when it has ended already. */
  kill(signal: Deno.Signal) {
    if (this.#hasFinished) return;
    try {
      this.child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a TypeError: it has just ended
    }
  }

  /** SIGTERM, and SIGKILL when that is not enough. */
  async [Symbol.asyncDispose]() {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#finished;
    clearTimeout(timer);
  }

  #silence(): Disposable & { come: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>();
    let turns = 0;
    let before = 0;
    const timer = setInterval(() => {
      const length = this.stdout.length + this.stderr.length;
      turns = length > before ? 0 : turns + 1;
      before = length;
      if (turns === SILENT_TURNS) resolve();
    }, TURN_MS);
    return { come: promise, [Symbol.dispose]: () => clearInterval(timer) };
  }

  async #read(
    stream: ReadableStream<BufferSource>,
    signal: AbortSignal,
    add: (text: string) => void,
  ) {
    const write = (text: string) => {
      add(text);
      this.#look();
    };
    try {
      const text = stream.pipeThrough(new TextDecoderStream());
      await text.pipeTo(new WritableStream({ write }), { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #look() {
    for (const look of this.#lookers) look();
  }

  #failure(what: string): Error {
    const output = `${this.stdout}${this.stderr}`.slice(-4_000);
    return new Error(`${this.name}\n${what}; it wrote:\n${output}`);
  }
}
