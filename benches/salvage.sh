#!/usr/bin/env bash
# benches/salvage.sh IMAGES_DIR: finding everything on the root of a server of which every superblock and every copy of
# the group descriptors are zeros, beside reading the image once. IMAGES_DIR is filled by benches/images.sh.
source "$(dirname "$0")/measure.sh"

healthy=$(server_root)
ruined=$work/ruined.ext4
cp --sparse=always "$healthy" "$ruined"
block=$(dumpe2fs -h "$healthy" 2>/dev/null | awk '/^Block size:/ { print $3 }')
# "Primary superblock at 0, Group descriptors at 1-1", "Backup superblock at 32768, Group descriptors at 32769-32769"
dumpe2fs "$healthy" 2>/dev/null | sed -n 's/.* superblock at \([0-9]*\), Group descriptors at [0-9]*-\([0-9]*\).*/\1 \2/p' |
  while read -r first last; do
    dd if=/dev/zero of="$ruined" bs="$block" seek="$first" count=$((last - first + 1)) conv=notrunc status=none
  done

paths() {
  "$offmount" find "$1" --quiet | sed 's/^disk://' | sort
}
printf 'paths on the healthy image: %d; found again of them: %d\n' \
  "$(paths "$healthy" | wc -l)" "$(comm -12 <(paths "$healthy") <(paths "$ruined") | wc -l)"

command "offmount find --json, all superblocks and descriptors zeros" "'$offmount' find '$ruined' --json --quiet >/dev/null"
command "offmount find --json, healthy" "'$offmount' find '$healthy' --json --quiet >/dev/null"
command "cat" "cat '$ruined' >/dev/null"
table "Salvage: the root of a server" "cat"
