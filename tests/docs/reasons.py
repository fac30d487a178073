"""Checks that docs/clients.md has a row for each ErrorReason of the contract, with its code.

Prints a line, and exits with 1 if it has not.
"""

import re
import sys
from pathlib import Path

PAGE = "docs/clients.md"


def promised() -> dict[str, str]:
    """The contract's reasons, and the code that the comment before each begins with."""
    contract = Path("proto/svnet/v1/network.proto").read_text()
    reasons = contract.split("enum ErrorReason {")[1].split("}")[0]
    return dict((name, code) for code, name in re.findall(
        r"// ([A-Z_]+)\.(?: [^\n]*)?\n(?:  //[^\n]*\n)*  ([A-Z_]+) = \d+;", reasons))


def explained() -> dict[str, str]:
    return dict(re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|", Path(PAGE).read_text(), re.M))


def main() -> int:
    different = dict(promised().items() ^ explained().items())
    if different or not promised():
        print(f"FAILED  {PAGE} and the contract differ in: {', '.join(sorted(different))}")
        return 1
    print(f"ok      {PAGE} has all {len(promised())} reasons")
    return 0


sys.exit(main())
