"""The fenced blocks of the project's pages, and what tests/docs does with them."""

import re
from dataclasses import dataclass
from pathlib import Path

# Fences that show code of a tested file, word for word.
EXCERPTS = {"bash", "cmake", "cpp", "go", "proto", "python", "ts"}


@dataclass(frozen=True)
class Block:
    page: Path
    line: int  # of its first line of text
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    blocks: list[Block] = []
    language, start, text = None, 0, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.fullmatch(r"\s*```(\w*)\s*", line)
        if fence and language is None:
            language, start, text = fence[1], number + 1, []
        elif fence:
            blocks.append(Block(page, start, language, "\n".join(text)))
            language = None
        elif language is not None:
            text.append(line)
    if language is not None:
        raise SystemExit(f"{page}:{start}: this block has no end")
    return blocks


def pages() -> list[Path]:
    return [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
