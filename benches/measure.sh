# Sourced by the benchmarks: `command NAME LINE` adds a command, `table TITLE` runs all added so far side by side and
# prints medians, ratios to the last one named `reference`, and peak memory.
#
# OFFMOUNT (default: a release build, made now) names the program; RUNS (default 5) after WARMUP (default 1) to warm up;
# DESTINATION (default: a folder in /dev/shm, which is memory). ONLY: a pattern of the names of commands that are run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
images=${1:?usage: $0 IMAGES_DIR}
images=$(cd "$images" && pwd)
runs=${RUNS:-5}
bash "$top/tests/packages" hyperfine=hyperfine fls=sleuthkit debugfs=e2fsprogs 7zz=7zip mcopy=mtools python3=python3 \
  /usr/bin/time=time
PATH=$PATH:/usr/sbin:/sbin

[ -n "${OFFMOUNT:-}" ] || (cd "$top" && cargo build --quiet --release --bin offmount --example list-ext4-view)
target=$(cd "$top" && cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
offmount=${OFFMOUNT:-$target/release/offmount}
list_ext4_view=$target/release/examples/list-ext4-view

work=$(mktemp -d "${DESTINATION:-/dev/shm}/offmount-bench.XXXXXX")
out=$work/out
trap 'rm -rf "$work"' EXIT
names=() lines=()

command() {
  [[ $1 =~ ${ONLY:-.} ]] || return 0
  names+=("$1")
  lines+=("$2")
}

# once TITLE: each command a single time, for a first look; those that take longer than LIMIT seconds are stopped, with exit
# code 124.
once() {
  printf '\n### %s, a single run\n\n| | s | peak MiB | exit code |\n| --- | ---: | ---: | ---: |\n' "$1"
  for i in "${!names[@]}"; do
    rm -rf "$out" && mkdir "$out"
    /usr/bin/time --quiet -f '%e %M' -o "$work/once" timeout "${LIMIT:-0}" sh -c "${lines[$i]}" >/dev/null 2>"$work/said" && code=0 || code=$?
    tail -1 "$work/once" | awk -v name="${names[$i]}" -v code=$code '{ printf "| %s | %.2f | %.0f | %d |\n", name, $1, $2 / 1024, code }'
  done
  rm -rf "$out"
}

table() {
  local title=$1 reference=$2 arguments=() i
  for i in "${!names[@]}"; do
    arguments+=(--command-name "${names[$i]}" "${lines[$i]}")
  done
  if [ "$runs" = 1 ]; then
    once "$title"
    names=() lines=()
    return
  fi
  # 7zz and tsk_recover end with an error where a file has a name or a kind that they can not write.
  hyperfine --style none --ignore-failure --warmup "${WARMUP:-1}" --runs "$runs" --prepare "rm -rf $out; mkdir $out" \
    --export-json "$work/times" "${arguments[@]}" >/dev/null 2>&1
  for i in "${!names[@]}"; do
    rm -rf "$out" && mkdir "$out"
    /usr/bin/time --quiet -f %M -o "$work/memory.$i" sh -c "${lines[$i]}" >/dev/null 2>&1 || true
  done
  rm -rf "$out"
  python3 "$here/table.py" "$title" "$reference" "$work"
  names=() lines=()
}

# The root filesystem of server.img as a file of its own: not every peer takes an offset.
server_root() {
  local root=$images/server-root.ext4
  if [ ! -e "$root" ]; then
    local start size
    read -r start size < <(sfdisk --json "$images/server.img" | python3 -c '
import json, sys
root = json.load(sys.stdin)["partitiontable"]["partitions"][1]
print(root["start"], root["size"])')
    dd if="$images/server.img" of="$root.part" bs=1M iflag=skip_bytes,count_bytes conv=sparse status=none \
      skip=$((start * 512)) count=$((size * 512))
    truncate -s $((size * 512)) "$root.part"
    mv "$root.part" "$root"
  fi
  echo "$root"
}
