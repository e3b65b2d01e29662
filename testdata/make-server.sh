#!/usr/bin/env bash
# testdata/make-server.sh [OUTPUT]: makes server.img, the disk of a small server, always the same to the last bit, and
# beside it server.sha256, what its files hold.
#
#   p1  1 MiB   EFI system partition, FAT12
#   p2  10 MiB  root, ext4 of 1 KiB blocks with a journal, without metadata_csum (as servers set up before 2018)
#   p3  1 MiB   swap
#
# Then one bit of it is flipped: see "damage" at the end.
#
# Needs e2fsprogs, dosfstools, mtools, fdisk, util-linux; no root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
image=${1:-$here/server.img}
sums=${image%.img}.sha256
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C TZ=UTC
export SOURCE_DATE_EPOCH=1767225600                         # 2026-01-01 00:00, for mtools
export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
umask 022

disk_id=6F66666D-6F75-4E74-8000-000000000000
esp_id=6F66666D-6F75-4E74-8000-000000000001
root_id=6F66666D-6F75-4E74-8000-000000000002
swap_id=6F66666D-6F75-4E74-8000-000000000003
esp_uuid=0FF0-0001
root_uuid=6f66666d-6f75-6e74-8000-00000000000a
swap_uuid=6f66666d-6f75-6e74-8000-00000000000b
hash_seed=6f66666d-6f75-6e74-8000-00000000000c

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
rm -f "$image"
# What this machine prefers must not matter.
printf '[fs_types]\n  %s = {\n    blocksize = 1024\n  }\n' ext3 small >mke2fs.conf
export MKE2FS_CONFIG=$work/mke2fs.conf

# ---------------------------------------------------------------- the files
# file PATH: standard input becomes PATH of the root filesystem.
file() { mkdir -p "root/$(dirname "$1")" && cat >"root/$1"; }

file etc/hostname <<<"web01"
file etc/fstab <<END
# <file system>                            <mount point>  <type>  <options>          <dump> <pass>
UUID=$root_uuid  /              ext4    errors=remount-ro  0      1
UUID=$esp_uuid                             /boot/efi      vfat    umask=0077         0      1
UUID=$swap_uuid  none           swap    sw                 0      0
END
file etc/passwd <<'END'
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash
END
file etc/group <<'END'
root:x:0:
www-data:x:33:
alice:x:1000:
END
file etc/shadow <<'END'
root:*:20454:0:99999:7:::
alice:!:20454:0:99999:7:::
END
file etc/os-release <<'END'
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
ID=debian
END
file etc/nginx/nginx.conf <<'END'
user www-data;
events { worker_connections 768; }
http { server { listen 80; root /srv/www; } }
END
file home/alice/notes.txt <<'END'
Move the invoices before the disk gives up.
END
file "home/alice/Angebot März.txt" <<'END'
Sehr geehrte Damen und Herren,
END
file home/alice/.ssh/authorized_keys <<'END'
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExam alice
END
file srv/www/index.html <<'END'
<!doctype html><title>web01</title><h1>It works</h1>
END
for month in 01 02 03 04 05 06 07 08; do
  file "srv/invoices/2026-$month.csv" < <(
    echo "date,customer,amount"
    for day in 03 11 19 27; do echo "2026-$month-$day,customer-$day,$((10#$month * 100 + 10#$day)).00"; done)
done
for n in $(seq 400); do
  printf '10.0.0.%d - - [14/Mar/2026:09:%02d:%02d +0000] "GET /page/%d HTTP/1.1" 200 %d\n' \
    $((n % 250)) $((n / 60 % 60)) $((n % 60)) "$n" $((n * 37 % 9000))
done | file var/log/nginx/access.log
file var/log/dpkg.log <<'END'
2026-03-01 06:25:01 upgrade nginx:amd64 1.22.1-9 1.22.1-9+deb12u1
END
printf '\177ELF not a program, and yet setuid\n' | file usr/bin/passwd
# Data at the start, in the middle and at the end of 3 MiB, holes between.
printf 'first page' | file var/lib/db/data.bin
printf 'page 512' | dd of=root/var/lib/db/data.bin bs=4096 seek=512 conv=notrunc status=none
printf 'last page' | dd of=root/var/lib/db/data.bin bs=4096 seek=767 conv=notrunc status=none
truncate -s 3M root/var/lib/db/data.bin
mkdir -p root/root root/boot/efi root/tmp root/proc root/sys root/dev root/bin

# ---------------------------------------------------------------- p2: root
truncate -s 10M p2
mke2fs -q -F -b 1024 -I 256 -N 160 -m 1 -L root -U "$root_uuid" -J size=1 \
  -O none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize \
  -E "hash_seed=$hash_seed,lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0" p2

# debugfs adds them one by one, in order of name: the result does not depend on the folder they come from.
{
  echo "set_current_time 20260314093000"
  (cd root && find . -mindepth 1 -type d | sort) | while read -r dir; do
    echo "mkdir ${dir#.}"
    echo "sif ${dir#.} mode 040755"
  done
  (cd root && find . -type f | sort) | while read -r path; do
    echo "write \"root${path#.}\" \"${path#.}\""
    echo "sif \"${path#.}\" mode 0100644"
  done
  cat <<'END'
symlink /etc/mtab ../proc/self/mounts
symlink /var/www /srv/www
symlink /bin/sh /usr/bin/a-link-whose-target-is-too-long-to-stand-in-the-inode-itself-and-needs-a-block
ln /srv/www/index.html /srv/www/index.htm
sif /srv/www/index.html links_count 2
sif /usr/bin/passwd mode 0104755
sif /etc/shadow mode 0100640
sif /tmp mode 041777
sif /root mode 040700
sif /home/alice/.ssh mode 040700
sif /home/alice/.ssh/authorized_keys mode 0100600
ea_set /srv/www/index.html user.mime_type text/html
ea_set /home/alice/notes.txt user.tag urgent
sif /etc/hostname mtime @1735689600
END
  for path in /home/alice /home/alice/.ssh /home/alice/.ssh/authorized_keys /home/alice/notes.txt \
    "/home/alice/Angebot März.txt"; do
    printf 'sif "%s" uid 1000\nsif "%s" gid 1000\n' "$path" "$path"
  done
  for path in /srv/www /srv/www/index.html /var/log/nginx/access.log; do
    printf 'sif %s uid 33\nsif %s gid 33\n' "$path" "$path"
  done
} >commands
debugfs -w -f commands p2 >said 2>complaints
if grep -v '^debugfs ' complaints; then exit 1; fi
e2fsck -fn p2 >said 2>&1 || { cat said; exit 1; }

# ---------------------------------------------------------------- p1: EFI system partition
truncate -s 1M p1
mkfs.fat --invariant -F 12 -n ESP -i "${esp_uuid/-/}" p1 >/dev/null
printf 'MZ not a boot loader\n' >BOOTX64.EFI
printf 'search.fs_uuid %s root\n' "$root_uuid" >grub.cfg
touch -d "@$SOURCE_DATE_EPOCH" BOOTX64.EFI grub.cfg
mmd -i p1 ::/EFI ::/EFI/BOOT ::/EFI/debian
mcopy -m -i p1 BOOTX64.EFI ::/EFI/BOOT/
mcopy -m -i p1 grub.cfg ::/EFI/debian/

# ---------------------------------------------------------------- p3: swap
truncate -s 1M p3
mkswap -q -L swap -U "$swap_uuid" p3

# ---------------------------------------------------------------- the disk
truncate -s 14M disk
sfdisk --quiet --no-reread --no-tell-kernel disk <<END
label: gpt
label-id: $disk_id
start=2048, size=2048, type=uefi, uuid=$esp_id, name="EFI system partition"
start=4096, size=20480, type=linux, uuid=$root_id, name="root"
start=24576, size=2048, type=swap, uuid=$swap_id, name="swap"
END
dd if=p1 of=disk bs=1M seek=1 conv=notrunc,sparse status=none
dd if=p2 of=disk bs=1M seek=2 conv=notrunc,sparse status=none
dd if=p3 of=disk bs=1M seek=12 conv=notrunc,sparse status=none

# ---------------------------------------------------------------- damage
# The block of /srv/invoices: `.` and `..` of 12 bytes each, then eight files of 20 bytes each. The record length of
# the fourth file is 20 (0x14); with one bit flipped it is 4, which is shorter than any entry.
block=$(debugfs -R "blocks /srv/invoices" p2 2>/dev/null | tr -d ' ')
entry=$((12 + 12 + 3 * 20))
at=$(((2 << 20) + block * 1024 + entry + 4))
[ "$(od -An -tx1 -j "$at" -N 2 disk)" = " 14 00" ]
printf '\004' | dd of=disk bs=1 seek="$at" conv=notrunc status=none

cp --sparse=always disk "$image"
cp root/srv/www/index.html root/srv/www/index.htm                     # the second name of the hard link
(cd root && find . -type f -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$sums"
