"""Checks that each excerpt in the pages stands, word for word, in a file that is tested.

Prints a line for each, and exits with 1 if one does not.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

from blocks import EXCERPTS, Block, blocks_of, pages

TESTED = ["docs/clients", "docs/quickstart.sh", "proto", "tests"]


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in textwrap.dedent(text).strip("\n").splitlines()]


def stands_in(excerpt: list[str], lines: list[str]) -> bool:
    """At any depth of indentation."""
    starts = range(len(lines) - len(excerpt) + 1)
    windows = (lines[start : start + len(excerpt)] for start in starts)
    return any(lines_of("\n".join(window)) == excerpt for window in windows)


def source_of(block: Block, sources: dict[str, list[str]]) -> str | None:
    excerpt = lines_of(block.text)
    return next((name for name, lines in sources.items() if stands_in(excerpt, lines)), None)


def main() -> int:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *TESTED],
        check=True, capture_output=True, text=True).stdout.split()
    sources = {}
    for name in names:
        if "/corpus/" not in name:
            sources[name] = Path(name).read_text().splitlines()
    failed = 0
    for block in (block for page in pages() for block in blocks_of(page)):
        if block.language not in EXCERPTS:
            continue
        source = source_of(block, sources)
        failed += source is None
        print(f"ok      {block.place} is in {source}" if source else
              f"FAILED  {block.place} is in no file that is tested")
    return min(failed, 1)


sys.exit(main())
