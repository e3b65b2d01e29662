#!/usr/bin/env bash
# benches/list.sh IMAGES_DIR: listing every file with its metadata.
# IMAGES_DIR is filled by benches/images.sh; what is not there is left out.
source "$(dirname "$0")/measure.sh"

ext() {
  local image=$2
  [ -e "$image" ] || return 0
  command "offmount find --json" "'$offmount' find '$image' --json >/dev/null"
  command "fls -r -p -l" "fls -r -p -l '$image' >/dev/null"
  command "7zz l" "7zz l '$image' >/dev/null"
  command "ext4-view" "'$list_ext4_view' '$image' >/dev/null"
  table "$1" "7zz l"
}

[ -e "$images/server.img" ] && ext "List: the root of a server" "$(server_root)"
[ -e "$images/small.ext4" ] && ext "List: 300,000 small files" "$images/small.ext4"
[ -e "$images/big.ext4" ] && ext "List: a few big files" "$images/big.ext4"

if [ -e "$images/fat32.img" ]; then
  image=$images/fat32.img
  command "offmount find --json" "'$offmount' find '$image' --json >/dev/null"
  command "fls -r -p -l" "fls -r -p -l '$image' >/dev/null"
  command "7zz l" "7zz l '$image' >/dev/null"
  table "List: FAT32" "7zz l"
fi
