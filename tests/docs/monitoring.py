#!/usr/bin/env python3
"""The alerts and the dashboard of docs/monitoring use metrics, and labels, that svnetd has.

What svnetd has is the table of docs/operations.md, which MetricsTest compares with svnetd's output.
Prints a line for each file, "ok" or "FAILED".
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys

FOLDER = pathlib.Path("docs/monitoring")
ROW = re.compile(r"\| `(svnet_\w+)(?:\{([^}`]*)\})?` \| (\w+) \|")
METRIC = re.compile(r"(svnet_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!=|=)")
OF_PROMETHEUS = {"instance", "job", "le"}


def documented():
    """The labels of each series, by its name."""
    series = {}
    for name, labels, kind in ROW.findall(pathlib.Path("docs/operations.md").read_text()):
        names = [name]
        if kind == "histogram":
            names = [name + suffix for suffix in ("_bucket", "_sum", "_count")]
        for each in names:
            series[each] = set(filter(None, labels.split(","))) | OF_PROMETHEUS
    return series


def wrong(expression, series):
    """What is wrong with a PromQL expression."""
    faults = []
    labels = set(OF_PROMETHEUS)
    for name, matchers in METRIC.findall(expression):
        if name not in series:
            faults.append(f"there is no metric {name}")
            continue
        labels |= series[name]
        faults += [f"{name} has no label {label}"
                   for label in LABEL.findall(matchers) if label not in series[name]]
    for group in re.findall(r"\b(?:by|without) \(([^)]*)\)", expression):
        faults += [f"no metric here has a label {label.strip()}"
                   for label in group.split(",") if label.strip() not in labels]
    return faults


def expressions(path):
    if path.suffix == ".yml":
        return re.findall(r"^ *expr: (.*)$", path.read_text(), re.M)
    board = json.loads(path.read_text())
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries = [each["query"]["query"] for each in board["templating"]["list"]
               if isinstance(each["query"], dict)]
    return targets + queries + [each["expr"] for each in board["annotations"]["list"]]


def promtool(path):
    if path.suffix != ".yml" or shutil.which("promtool") is None:
        return []
    run = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True,
                         check=False)
    return [] if run.returncode == 0 else [run.stdout + run.stderr]


def main():
    series = documented()
    assert len(series) > 20, "the table of metrics was not found"
    code = 0
    for path in sorted(FOLDER.iterdir()):
        found = expressions(path)
        faults = [fault for each in found for fault in wrong(each, series)] + promtool(path)
        if len(found) < 10:
            faults.append("it has hardly any expressions")
        print(f"FAILED  {path}: {'; '.join(faults)}" if faults else f"ok      {path}")
        code |= bool(faults)
    return code


if __name__ == "__main__":
    sys.exit(main())
