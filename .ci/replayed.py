#!/usr/bin/env python3
"""replayed.py CORPUS OUT: OUT becomes a copy of the corpus whose index says of images with a waiting journal what
`e2fsck -fn` finds after debugfs has replayed it.

An index made with `e2fsck -fy -E journal_only` (1.47.0) says less: that command replays the journal, and goes on to
repair the volume, so nothing is found afterwards. What the index says of fast commits stays, as debugfs does not know
them."""
import json
import os
import re
import subprocess
import sys
import tempfile

NAMES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../testdata/e2fsck-problems.txt")


def problem_names():
    """Problems of e2fsck by number."""
    with open(NAMES) as file:
        rows = (line.split() for line in file if line.startswith("0x"))
        return {int(number, 16): name for number, name in rows}


def judge(image, names, work):
    """Exit status of e2fsck -fn, and how often it named each problem."""
    log, config = os.path.join(work, "log"), os.path.join(work, "e2fsck.conf")
    with open(config, "w") as file:
        file.write(f"[options]\nproblem_log_filename = {log}\n")
    environment = dict(os.environ, E2FSCK_CONFIG=config)
    ran = subprocess.run(["e2fsck", "-fn", image], env=environment, capture_output=True, timeout=60)
    counts = {}
    with open(log) as file:
        for number in re.findall(r'<problem code="(0x[0-9a-f]+)"', file.read()):
            name = names[int(number, 16)]
            counts[name] = counts.get(name, 0) + 1
    os.unlink(log)
    return ran.returncode, counts


def main(corpus, out):
    source, target = os.path.join(corpus, "e2fsprogs"), os.path.join(out, "e2fsprogs")
    os.makedirs(target)
    with open(os.path.join(source, "index.jsonl")) as file:
        cases = [json.loads(line) for line in file]
    names = problem_names()
    for case in cases:
        packed = os.path.join(source, case["name"] + ".img.zst")
        os.symlink(os.path.abspath(packed), os.path.join(target, case["name"] + ".img.zst"))
        if "e2fsck_replayed_exit" not in case:
            continue
        with tempfile.TemporaryDirectory() as work:
            image = os.path.join(work, "image")
            subprocess.run(["zstd", "-q", "-d", "--long=27", "--sparse", packed, "-o", image], check=True)
            header = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, text=True, errors="replace").stdout
            if re.search(r"^Filesystem features:.*\bfast_commit\b", header, re.MULTILINE):
                continue
            subprocess.run(["debugfs", "-w", "-R", "journal_run", image], check=True, capture_output=True)
            exit, problems = judge(image, names, work)
        case["e2fsck_replayed_exit"], case["e2fsck_replayed_problems"] = exit, problems
    with open(os.path.join(target, "index.jsonl"), "w") as file:
        file.writelines(json.dumps(case) + "\n" for case in cases)


if __name__ == "__main__":
    main(*sys.argv[1:])
