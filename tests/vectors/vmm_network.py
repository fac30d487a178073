#!/usr/bin/python3
"""Checks what `svnetctl --format` prints for VMMs against vmm_network.json:

    ... | tests/vectors/vmm_network.py FORMAT

Prints what it has understood, sorted, as JSON. Debian's python3, for its python3-jsonschema.
"""
import json
import pathlib
import sys

import jsonschema


def read_option(text):
    """A command line's `--net key=value,key=value`: numbers are numbers."""
    flag, value = text.split()
    if flag != "--net":
        raise SystemExit(f"there is no --net in {text!r}")
    pairs = [pair.split("=", 1) for pair in value.split(",")]
    if len(dict(pairs)) != len(pairs):
        raise SystemExit(f"an option twice: {value}")
    return {key: int(value) if value.isdigit() else value for key, value in pairs}


def main():
    name = sys.argv[1]
    text = sys.stdin.read()
    value = read_option(text) if name == "cloud-hypervisor" else json.loads(text)
    schema = json.loads((pathlib.Path(__file__).parent / "vmm_network.json").read_text())
    jsonschema.validate(value, {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"})
    print(json.dumps(value, sort_keys=True))


if __name__ == "__main__":
    main()
