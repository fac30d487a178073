"""Checks that the links of the pages lead to files of the repository, and to headings in them.

Prints a line for each page, and exits with 1 if a link leads nowhere. Links to other hosts are
not tried.
"""

import re
import sys
from pathlib import Path

from blocks import pages

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^\s*```.*?^\s*```\s*$", re.M | re.S)
HEADING = re.compile(r"^#{1,6} (.*)$", re.M)


def anchor_of(heading: str) -> str:
    """As GitHub makes it: lower case, blanks are hyphens, other marks are left out."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors_of(page: Path) -> set[str]:
    """Of headings that are alike, the second is NAME-1."""
    anchors: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        anchor = plain = anchor_of(heading)
        number = 0
        while anchor in anchors:
            number += 1
            anchor = f"{plain}-{number}"
        anchors.add(anchor)
    return anchors


def fault_of(page: Path, link: str) -> str | None:
    if "://" in link or link.startswith("mailto:"):
        return None
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page.resolve()
    if not target.is_relative_to(Path.cwd()):
        return f"{link} leads out of the repository"
    if not target.exists():
        return f"{link}: there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return f"{link}: there is no such heading"
    return None


def main() -> int:
    failed = False
    for page in pages():
        links = LINK.findall(FENCE.sub("", page.read_text()))
        faults = [fault for link in links if (fault := fault_of(page, link))]
        failed |= bool(faults)
        print(f"FAILED  {page}: {'; '.join(faults)}" if faults else
              f"ok      {page}: {len(links)} links")
    return int(failed)


sys.exit(main())
