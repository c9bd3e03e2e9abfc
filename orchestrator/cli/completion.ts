/** `logvend completion`: shell completion of commands and flags, from the command tree itself. */
import type { Command } from "commander";
import { LIBRARY_NAMES } from "../../queries/library/library.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** Names that a command takes, by its full name. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "logvend query": LIBRARY_NAMES.map((name) => `@${name}`),
  "logvend library show": LIBRARY_NAMES,
};

/** The words that may follow each command: subcommands, names and long flags, by its full name. */
function wordsOf(command: Command, path: string): [path: string, words: string[]][] {
  const flags = command.options.flatMap(({ long }) => long ?? []);
  const subcommands = command.commands.map((sub) => sub.name());
  return [
    [path, [...subcommands, ...NAMES[path] ?? [], ...flags, "--help"]],
    ...command.commands.flatMap((sub) => wordsOf(sub, `${path} ${sub.name()}`)),
  ];
}

/** The script to be sourced by the shell. */
export function completionScript(program: Command, shell: Shell): string {
  const name = program.name();
  const words = wordsOf(program, name);
  if (shell === "fish") {
    const lines = words.map(([path, after]) => {
      const seen = path.split(" ").slice(1).map((word) => `__fish_seen_subcommand_from ${word}`);
      const condition = seen.length === 0 ? "__fish_use_subcommand" : seen.join("; and ");
      return `complete -c ${name} -f -n '${condition}' -a '${after.join(" ")}'`;
    });
    return `${lines.join("\n")}\n`;
  }
  const cases = words.toReversed().map(([path, after]) =>
    `    "${path}"*) words="${after.join(" ")}" ;;`
  );
  // To bash the @ of a name is a word of its own, and is still replaced with the name.
  const script = `_${name}() {
  local words before="\${COMP_WORDS[*]:0:COMP_CWORD}" current="\${COMP_WORDS[COMP_CWORD]}"
  if [[ $before == *" @" ]]; then before="\${before% @}" current="@$current"; fi
  case "$before" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
  return shell === "bash" ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}
