#!/usr/bin/env python3
"""preview.py OFFMOUNT CORPUS [NAME...]: holds `check --preview-repair` against what `e2fsck -fy` does to a full copy.

For each ext image of CORPUS (index.jsonl, NAME.img.zst) where e2fsck ends: the trees before and after a repair of the
whole image, listed by inode, must differ in just the files that the preview names. Exit status 1 where they do not."""
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter

LIMIT = 60
FACTS = ("kind", "size", "mode", "uid", "gid", "links")


def path(record):
    """A path as previews show it."""
    raw = base64.b64decode(record["path_b64"]) if "path_b64" in record else record["path"].encode("utf8", "replace")
    text = raw.decode("utf8", "replace")
    return text if text.startswith("/") else "/" + text


def tree(offmount, image):
    """Facts and paths of each inode."""
    ran = subprocess.run([offmount, "ls", "-R", "--json", image], capture_output=True, timeout=LIMIT)
    nodes = {}
    for line in ran.stdout.decode("utf8", "surrogateescape").splitlines():
        record = json.loads(line)
        if record.get("inode") is not None:
            facts = tuple(record.get(key) for key in FACTS)
            nodes.setdefault(record["inode"], (facts, set()))[1].add(path(record))
    return nodes


def judge(offmount, image):
    """What differs between the preview and a real repair; None where e2fsck does not end."""
    before = tree(offmount, image)
    ran = subprocess.run([offmount, "check", "--preview-repair", "--json", image], capture_output=True, timeout=2 * LIMIT)
    previews = [json.loads(line) for line in ran.stdout.splitlines() if b'"preview"' in line]
    try:
        repair = subprocess.run(["e2fsck", "-fy", image], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return None
    if repair.returncode < 0:
        return None
    if not previews or previews[0].get("program") != "e2fsck":
        return None if not before or previews else ["no preview: " + ran.stderr.decode("utf8", "replace")[-200:]]
    preview = previews[0]
    if preview.get("code") != repair.returncode:
        return [f"e2fsck exits with {repair.returncode}, on the sparse copy with {preview.get('code')}"]
    after = tree(offmount, image)
    # A listing does not tell what is left of contents whose size stays.
    doomed = {path for path, changes in preview["doomed"].items() if any(it.get("what") != "contents" for it in changes)}
    wrong = []
    named = Counter(path for _, paths in before.values() for path in paths)
    for inode, (facts, paths) in before.items():
        # Names of inodes that are not in use are no files; a name that stands twice tells nothing apart.
        if facts[1] is None or any(named[path] > 1 for path in paths):
            continue
        gone = inode not in after
        changed = gone or after[inode][0] != facts or not paths & after[inode][1]
        if changed != bool(paths & doomed):
            wrong.append(f"{sorted(paths)[0]}: {'doomed' if changed else 'survives'}, {facts} {after.get(inode)}")
    return wrong


def main():
    offmount, corpus, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    bad = judged = 0
    with open(f"{corpus}/index.jsonl") as index, tempfile.TemporaryDirectory() as scratch:
        for name in (json.loads(line)["name"] for line in index):
            if only and name not in only:
                continue
            image = f"{scratch}/{name}.img"
            subprocess.run(["zstd", "-qdf", "--long=27", "--sparse", f"{corpus}/{name}.img.zst", "-o", image], check=True)
            wrong = judge(offmount, image)
            os.unlink(image)
            judged += wrong is not None
            if wrong:
                bad += 1
                print(f"{name}: {len(wrong)} differ: {'; '.join(wrong[:3])}", flush=True)
    print(f"{judged} repairs previewed, {judged - bad} as they came")
    sys.exit(1 if bad else 0)


main()
