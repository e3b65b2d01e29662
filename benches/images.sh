#!/usr/bin/env bash
# benches/images.sh DIR [server] [small] [big] [fat32]: builds the images that the benchmarks read; all if none is named.
# One that is there already is left alone.
#
#   server.img  5 GB: GPT with an EFI system partition, an ext4 root of a Debian server (some 90,000 files, 2.8 GB)
#               that was then used for a while, and swap
#   small.ext4  3 GB: 300,000 files of 0 to 16 KiB in deep folders, 50,000 of them in one directory
#   big.ext4    8 GB: three files of 1 to 2 GiB, a sparse and a preallocated one
#   fat32.img   2 GB: 5,000 files with long names, some deleted
#
# Needs root, loop devices, Debian's package mirror (for server.img) and some 25 GB in DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: benches/images.sh DIR [server] [small] [big] [fat32]}
shift
[ $# -gt 0 ] || set -- server small big fat32
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
bash "$here/../tests/packages" mke2fs=e2fsprogs mkfs.fat=dosfstools mcopy=mtools sfdisk=fdisk mkswap=util-linux \
  debootstrap=debootstrap python3=python3 openssl=openssl
PATH=$PATH:/usr/sbin:/sbin
MiB=1048576

# random SEED BYTES: always the same bytes for a seed, fast. The pipe ends early, which openssl may complain of.
random() {
  { openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -pbkdf2 -iter 1 </dev/zero 2>/dev/null || true; } | head -c "$2"
}

# filled IMAGE OFFSET COMMAND...: mounts the ext4 in IMAGE and runs the command with the mount point as last argument.
filled() {
  local image=$1 offset=$2 at
  shift 2
  at=$(mktemp -d)
  mount -o "loop,offset=$offset" "$image" "$at"
  "$@" "$at" || { umount "$at"; return 1; }
  umount "$at"
  rmdir "$at"
}

# ---------------------------------------------------------------- server.img
packages="python3-dev python3-pip gcc g++ make perl git openssh-server nginx postgresql man-db manpages-dev locales vim
  curl rsync logrotate cron rsyslog sudo linux-image-amd64 linux-headers-amd64 golang-go nodejs npm
  openjdk-17-jdk-headless redis-server mariadb-server php-fpm tzdata iproute2 ca-certificates"

debian_root() {
  local root=$dir/debian mirror
  [ -e "$root/.complete" ] && return
  # The mirror that this machine uses itself.
  mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')
  rm -rf "$root"
  debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"}
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"          # nothing is to be started
  chmod +x "$root/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$root/etc/"
  mount -t proc proc "$root/proc"
  # shellcheck disable=SC2086
  { chroot "$root" apt-get update && DEBIAN_FRONTEND=noninteractive LC_ALL=C \
    chroot "$root" apt-get install -y --no-install-recommends $packages && chroot "$root" apt-get clean; } || {
    umount "$root/proc"
    return 1
  }
  umount "$root/proc"
  touch "$root/.complete"
}

# What a year of use does: files go, logs grow a line at a time, attributes appear.
used() {
  find "$1/usr/share/doc" -name '*.gz' | sort | awk 'NR % 7 == 0' | xargs -d '\n' rm -f
  python3 - "$1" <<'END'
import os, random, sys
root, rng = sys.argv[1], random.Random(7)
os.makedirs(f"{root}/var/log/nginx", exist_ok=True)
logs = [open(f"{root}/var/log/nginx/access.log.{n}", "w") for n in range(14)]
for line in range(20000):
    for log in logs:                                     # together, so that their blocks lie between each other's
        log.write(f"10.0.{rng.randrange(256)}.{rng.randrange(256)} - - GET /page/{rng.randrange(10**6)} 200 {line}\n")
        if line % 500 == 0:
            log.flush()
os.makedirs(f"{root}/home/alice")
for n in range(2000):
    path = f"{root}/home/alice/note-{n:04}.txt"
    with open(path, "wb") as note:
        note.write(rng.randbytes(rng.randrange(1, 9000)))
    if n % 3 == 0:
        os.setxattr(path, "user.tag", b"note %d" % n)
for n in range(0, 2000, 5):
    os.unlink(f"{root}/home/alice/note-{n:04}.txt")
END
}

make_server() {
  local image=$1 esp=$dir/esp.part swap=$dir/swap.part
  debian_root
  truncate -s $((4966 * MiB)) "$image"
  sfdisk --quiet --no-reread --no-tell-kernel "$image" <<'END'
label: gpt
start=2048, size=204800, type=uefi
start=206848, size=9437184, type=linux
start=9644032, size=524288, type=swap
END
  truncate -s $((100 * MiB)) "$esp"
  mkfs.fat -F 32 -n ESP "$esp" >/dev/null
  mmd -i "$esp" ::/EFI ::/EFI/debian
  mcopy -i "$esp" "$dir"/debian/boot/vmlinuz-* ::/EFI/debian/
  truncate -s $((256 * MiB)) "$swap"
  mkswap -q "$swap"
  dd if="$esp" of="$image" bs=1M seek=1 conv=notrunc,sparse status=none
  dd if="$swap" of="$image" bs=1M seek=4709 conv=notrunc,sparse status=none
  rm "$esp" "$swap"
  mke2fs -q -F -t ext4 -L root -E "offset=$((101 * MiB)),lazy_itable_init=0" -d "$dir/debian" "$image" 4608M
  filled "$image" $((101 * MiB)) used
}

# ---------------------------------------------------------------- small.ext4
small_files() {
  python3 - "$1" <<'END'
import os, random, sys
root, rng = sys.argv[1], random.Random(42)
text = random.Random(1).randbytes(1 << 22)
def put(path):
    size = int(16384 * rng.random() ** 2)                # half below 4 KiB
    at = rng.randrange(len(text) - size)
    with open(path, "xb") as file:
        file.write(text[at:at + size])
os.makedirs(f"{root}/maildir/cur")
for n in range(50000):
    put(f"{root}/maildir/cur/{1700000000 + n * 37}.M{rng.randrange(10**6):06}.mail01,S={n}:2,S")
left, leaf = 250000, 0
while left:
    folder = root + "".join(f"/d{level}-{rng.randrange(12)}" for level in range(rng.randrange(1, 7))) + f"/leaf{leaf}"
    os.makedirs(folder)
    here = min(rng.randrange(1, 401), left)
    for n in range(here):
        put(f"{folder}/file-{n:04}-{rng.randrange(1 << 32):08x}.dat")
    left, leaf = left - here, leaf + 1
END
}

make_small() {
  truncate -s 3G "$1"
  mke2fs -q -F -t ext4 -L small -N 360000 -E lazy_itable_init=0 "$1"
  filled "$1" 0 small_files
}

# ---------------------------------------------------------------- big.ext4
big_files() {
  random a $((2048 * MiB)) >"$1/vm-disk.raw"
  random b $((1536 * MiB)) >"$1/backup.tar"
  random c $((1024 * MiB)) >"$1/dump.sql"
  random d $((4 * MiB)) >"$dir/piece.part"
  for n in $(seq 0 63); do
    dd if="$dir/piece.part" of="$1/sparse.raw" bs=1M seek=$((n * 48)) conv=notrunc status=none
  done
  rm "$dir/piece.part"
  fallocate -l 256M "$1/preallocated"
  random e 1000000 | dd of="$1/preallocated" conv=notrunc status=none
}

make_big() {
  truncate -s 8G "$1"
  mke2fs -q -F -t ext4 -L big -E lazy_itable_init=0 "$1"
  filled "$1" 0 big_files
}

# ---------------------------------------------------------------- fat32.img
make_fat32() {
  local files=$dir/fat.part n
  mkdir "$files"
  python3 - "$files" <<'END'
import os, random, sys
root, rng = sys.argv[1], random.Random(5)
for n in range(4950):
    folder = f"{root}/DCIM/{100 + n % 40}CANON" if n % 3 else f"{root}/Eigene Dateien/Ordner {n % 60:02}"
    name = f"IMG_{n:04}.JPG" if n % 3 else f"Übersicht Quartalsbericht {n} (final).docx"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "wb") as file:
        file.write(rng.randbytes(rng.randrange(300000)))
os.makedirs(f"{root}/Video")
for n in range(50):
    with open(f"{root}/Video/clip {n:02}.mp4", "wb") as file:
        file.write(rng.randbytes(rng.randrange(8 << 20, 20 << 20)))
END
  truncate -s 2G "$1"
  mkfs.fat -F 32 -n DATA "$1" >/dev/null
  LC_ALL=C.UTF-8 mcopy -s -i "$1" "$files"/* ::/
  for n in 1 41 121 161; do mdel -i "$1" "::/DCIM/$((100 + n % 40))CANON/IMG_$(printf %04d "$n").JPG"; done
  rm -r "$files"
}

for name in "$@"; do
  case $name in
    server | fat32) image=$dir/$name.img ;;
    small | big) image=$dir/$name.ext4 ;;
    *) echo "no such image: $name" >&2 && exit 2 ;;
  esac
  [ -e "$image" ] && echo "$image is there already" && continue
  rm -f "$image.part"
  "make_$name" "$image.part"
  mv "$image.part" "$image"
  echo "made $image"
done
