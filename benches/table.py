"""table.py TITLE REFERENCE FOLDER: prints what a benchmark measured as a table of Markdown."""

import json
import sys

title, reference, folder = sys.argv[1:]
results = json.load(open(f"{folder}/times"))["results"]
median = {result["command"]: result["median"] for result in results}
print(f"\n### {title}\n")
print(f"| | median s | of {reference} | peak MiB | |")
print("| --- | ---: | ---: | ---: | --- |")
for number, result in enumerate(results):
    name = result["command"]
    # GNU time writes a line about a failed command before the figure.
    memory = int(open(f"{folder}/memory.{number}").read().split()[-1]) / 1024
    failed = any(result.get("exit_codes", [0]))
    note = f"exit code {max(result['exit_codes'])}" if failed else ""
    print(f"| {name} | {median[name]:.2f} | {median[name] / median[reference]:.2f} | {memory:.0f} | {note} |")
