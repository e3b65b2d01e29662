#!/usr/bin/env bash
# benches/check.sh IMAGES_DIR: checking beside e2fsck -fn, with peak memory, and how both grow with the number of inodes.
# IMAGES_DIR is filled by benches/images.sh; what is not there is left out. SIZES (default: 100000 1000000 5000000) are
# the numbers of files of the volumes that show the growth: inodes-SIZE.ext4, made here where they are missing, some
# 400 bytes a file.
source "$(dirname "$0")/measure.sh"

# check TITLE IMAGE
check() {
  [ -e "$2" ] || return 0
  command "offmount check" "'$offmount' check --quiet '$2'"
  command "offmount check, one thread" "'$offmount' check --quiet --threads 1 '$2'"
  command "e2fsck -fn" "e2fsck -fn '$2'"
  table "$1" "e2fsck -fn"
}

# fill DIR FILES: files of a block each, and empty ones, 500 to a directory.
fill() {
  python3 - "$1" "$2" <<'END'
import os, sys
root, files = sys.argv[1], int(sys.argv[2])
for start in range(0, files, 500):
    folder = f"{root}/{start // 250000:03}/{start // 500:05}"
    os.makedirs(folder)
    for n in range(start, min(start + 500, files)):
        with open(f"{folder}/file-{n:07}", "xb") as file:
            if n % 10 == 0:
                file.write(b"x")
END
}

# inodes FILES: a volume of so many files; prints its path.
inodes() {
  local image=$images/inodes-$1.ext4 at
  if [ ! -e "$image" ]; then
    at=$(mktemp -d)
    truncate -s $(($1 * 1024 + (256 << 20))) "$image.part"
    mke2fs -q -F -t ext4 -m 0 -N $(($1 + $1 / 50 + 1000)) -E lazy_itable_init=0 "$image.part" >&2
    mount -o loop "$image.part" "$at"
    fill "$at" "$1" || { umount "$at"; return 1; }
    umount "$at"
    rmdir "$at"
    mv "$image.part" "$image"
  fi
  echo "$image"
}

[ -e "$images/server.img" ] && check "Check: the root of a server" "$(server_root)"
check "Check: 300,000 small files" "$images/small.ext4"
check "Check: a few big files" "$images/big.ext4"
for files in ${SIZES:-100000 1000000 5000000}; do
  check "Check: growth, $files files" "$(inodes "$files")"
done
