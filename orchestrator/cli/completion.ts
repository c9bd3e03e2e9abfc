/** `logvend completion`: shell completion of commands and flags, from the command tree itself. */
import type { Command } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** The words that may follow each command: subcommands and long flags, by its full name. */
function wordsOf(command: Command, path: string): [path: string, words: string[]][] {
  const flags = command.options.flatMap(({ long }) => long ?? []);
  const subcommands = command.commands.map((sub) => sub.name());
  return [
    [path, [...subcommands, ...flags, "--help"]],
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
  const script = `_${name}() {
  local words current="\${COMP_WORDS[COMP_CWORD]}"
  case "\${COMP_WORDS[*]:0:COMP_CWORD}" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
  return shell === "bash" ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}
