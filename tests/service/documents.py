#!/usr/bin/env python3
"""What the package's files point to is in the package: tests/service/documents.py ROOT

ROOT is the folder into which it was unpacked. Links to the source, beside the documents, lead out
of the package.
"""

import gzip
import pathlib
import re
import sys

SOURCE = {"client", "daemon", "systemd", "tests"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOCUMENTS = b"/usr/share/doc/svnet/docs/"
PATH = re.compile(rb"/usr/share/doc/svnet/[\w./-]*\w")


def links(folder):
    """Each (page, target) of the pages, for targets that are files."""
    for page in sorted(folder.rglob("*.md")):
        for target in LINK.findall(page.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                yield page, target


def main(root):
    folder = root / "usr/share/doc/svnet"
    missing = []
    count = 0
    for page, target in links(folder):
        path = pathlib.Path(page.parent, target)
        parts = [part for part in pathlib.PurePath(target).parts if part != ".."]
        if parts[0] in SOURCE:
            continue
        count += 1
        if not path.exists():
            missing.append(f"{page.relative_to(folder)}: {target}")
    named = 0
    for file in sorted(root.rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for path in set(PATH.findall(text)):
            named += 1
            if not (root / path.decode().lstrip("/")).exists():
                missing.append(f"{file.relative_to(root)}: {path.decode()}")
        # The contract and the documents name files as the source has them.
        is_source = file.suffix == ".proto" or folder in file.parents
        if not is_source and b"docs/operations.md" in text.replace(DOCUMENTS, b""):
            missing.append(f"{file.relative_to(root)}: docs/operations.md without its folder")
    print("\n".join(missing) or f"{count} links and {named} paths lead to files")
    return 1 if missing or count < 20 or named < 3 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
