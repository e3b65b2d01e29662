"""seeded.py RESULTS: holds the bounds on files recovered from seeded damage, scenario by scenario."""

import collections
import json
import sys

# What, of which maximum, and the least percentage of it.
AT_LEAST = [
    ("content", "max_content", 99.0),
    ("path_in_maxpath", "max_path", 98.0),
    ("path_in_maxname", "max_name", 90.0),
]
NONE_OF = ["wrong_in_max", "spurious"]
OVERMARKED = 1.0  # percent of max_content; none where nothing is damaged

sums = collections.defaultdict(collections.Counter)
odd = 0
for line in open(sys.argv[1]):
    result = json.loads(line)
    if result["note"] not in ("rc0", "rc1"):
        odd += 1
        print(f"{result['variant']} {result['scenario']}: ended oddly: {result['note']}")
    sums[result["fs"], result["scenario"]].update({k: v for k, v in result.items() if isinstance(v, int)})

short = odd
for (fs, scenario), sum in sorted(sums.items()):
    faults = []
    for what, maximum, least in AT_LEAST:
        percent = 100 * sum[what] / sum[maximum] if sum[maximum] else 100
        if percent < least:
            faults.append(f"{what} {percent:.1f} % of {maximum}, at least {least:.0f}")
    faults += [f"{what} {sum[what]}, none allowed" for what in NONE_OF if sum[what]]
    allowed = 0 if scenario == "none" else sum["max_content"] * OVERMARKED / 100
    if sum["overmarked"] > allowed:
        faults.append(f"overmarked {sum['overmarked']}, at most {allowed:.0f}")
    short += len(faults)
    for fault in faults:
        print(f"{fs} {scenario}: {fault}")
total = collections.Counter()
for sum in sums.values():
    total.update(sum)
if not total["max_content"]:
    sys.exit("nothing was scored")
print(f"content {100 * total['content'] / total['max_content']:.2f} % of the recoverable maximum, {len(sums)} scenarios")
sys.exit(short > 0)
