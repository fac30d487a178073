"""Runs the commands of one page, as root in namespaces of its own: see tests/docs/run.sh.

    page.py PAGE

svnetd is running. Prints a line for each block, and exits with 1 if one failed.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from blocks import Block, blocks_of

# Of a command with all its children, in seconds; it is 124 that timeout(1) exits with.
WITHIN_A_MINUTE = ["timeout", "--kill-after=5", "60"]
PROMPT = re.compile(r"(alice|root)[$#] (.*)")
EXIT_CODE = re.compile(r"\(exit code (\d+)\)")
AS_ALICE = ["setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "--no-new-privs",
            "--inh-caps=-all"]


@dataclass
class Command:
    user: str
    text: str
    shown: list[str] = field(default_factory=list)  # what the page says that it prints
    code: int = 0


def commands_of(block: Block) -> list[Command]:
    """A block without a prompt is one script, which root runs."""
    lines = block.text.splitlines()
    if not any(PROMPT.fullmatch(line) for line in lines):
        return [Command("root", block.text)]
    commands: list[Command] = []
    for line in lines:
        prompt = PROMPT.fullmatch(line)
        if commands and commands[-1].text.endswith("\\") and not commands[-1].shown:
            commands[-1].text += "\n" + line
        elif prompt:
            commands.append(Command(prompt[1], prompt[2]))
        elif not commands:
            raise SystemExit(f"{block.place}: output comes after a command")
        elif code := EXIT_CODE.fullmatch(line):
            commands[-1].code = int(code[1])
        elif line.strip():
            commands[-1].shown.append(line)
    return commands


def pattern_of(shown: str) -> re.Pattern:
    """Loosely: blanks are alike, and '...' is anything."""
    words = [re.escape(word).replace(re.escape("..."), ".*") for word in shown.split()]
    return re.compile(r"\s*" + r"\s+".join(words) + r"\s*")


def missing_from(output: str, shown: list[str]) -> str | None:
    """The first of `shown` that is not there, in this order."""
    lines = iter(output.splitlines())
    for line in shown:
        pattern = pattern_of(line)
        if not any(pattern.fullmatch(each) for each in lines):
            return line
    return None


def run(command: Command) -> str | None:
    """Why it failed; None if it did not."""
    shell = WITHIN_A_MINUTE + ["bash", "-euo", "pipefail", "-c", command.text]
    as_user = AS_ALICE + shell if command.user == "alice" else shell
    ended = subprocess.run(as_user, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    if ended.returncode != command.code:
        return f"exit code {ended.returncode}:\n{ended.stdout}"
    missing = missing_from(ended.stdout, command.shown)
    return None if missing is None else f"it does not print\n{missing}\nbut\n{ended.stdout}"


def indent(text: str) -> str:
    return "\n".join("        " + line for line in text.rstrip().splitlines())


def passes(block: Block) -> bool:
    for command in commands_of(block):
        why = run(command)
        if why is not None:
            print(f"FAILED  {block.place}\n{indent(command.user + ': ' + command.text)}\n{indent(why)}")
            return False
    print(f"ok      {block.place}")
    return True


def main() -> int:
    blocks = [block for block in blocks_of(Path(sys.argv[1])) if block.language == "sh"]
    return 0 if all([passes(block) for block in blocks]) else 1


sys.exit(main())
