#!/usr/bin/env bash
# benches/copy.sh IMAGES_DIR: copying everything out, with BLAKE3 and manifest, beside tools that hash nothing.
# IMAGES_DIR is filled by benches/images.sh; what is not there is left out.
source "$(dirname "$0")/measure.sh"

# ext TITLE IMAGE BYTES: BYTES are what the files hold.
ext() {
  local image=$2
  [ -e "$image" ] || return 0
  command "offmount copy" "'$offmount' copy '$image' --to $out --quiet"
  command "debugfs rdump" "debugfs -R 'rdump / $out' '$image'"
  command "tsk_recover -a" "tsk_recover -a '$image' $out"
  command "7zz x" "7zz x -y -o$out '$image'"
  command "cat" "cat '$image' >/dev/null"
  command "cat, and writing as many bytes as the files hold" "cat '$image' >/dev/null; head -c $3 /dev/zero >$out/zeros"
  table "$1" "debugfs rdump"
}

# The bytes that the files of an ext image use: blocks in use.
used() {
  dumpe2fs -h "$1" 2>/dev/null | awk -F: '/^Block count/ { all = $2 } /^Free blocks/ { free = $2 }
    /^Block size/ { size = $2 } END { printf "%.0f", (all - free) * size }'
}

[ -e "$images/server.img" ] && root=$(server_root) && ext "Copy: the root of a server" "$root" "$(used "$root")"
[ -e "$images/small.ext4" ] && ext "Copy: 300,000 small files" "$images/small.ext4" "$(used "$images/small.ext4")"
[ -e "$images/big.ext4" ] && ext "Copy: a few big files" "$images/big.ext4" "$(used "$images/big.ext4")"

if [ -e "$images/fat32.img" ]; then
  image=$images/fat32.img
  command "offmount copy" "'$offmount' copy '$image' --to $out --quiet"
  command "mcopy -s" "LC_ALL=C.UTF-8 mcopy -s -n -i '$image' ::/ $out"
  command "tsk_recover -a" "tsk_recover -a '$image' $out"
  command "7zz x" "7zz x -y -o$out '$image'"
  command "cat" "cat '$image' >/dev/null"
  table "Copy: FAT32" "mcopy -s"
fi
