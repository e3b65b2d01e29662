#!/usr/bin/env bash
# benches/remote.sh IMAGES_DIR: copying to an sshd on this machine, hashed and with a manifest, beside tools that send files
# from a mounted image. Needs root, openssh-server, rclone, hyperfine; IMAGES_DIR is filled by benches/images.sh.
# The sshd has keys and a configuration of its own, in a temporary folder.
source "$(dirname "$0")/measure.sh"

ssh_dir=$(mktemp -d) port=2422
ssh-keygen -qt ed25519 -N '' -f "$ssh_dir/host"
ssh-keygen -qt ed25519 -N '' -f "$ssh_dir/user"
cat >"$ssh_dir/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $ssh_dir/host
AuthorizedKeysFile $ssh_dir/user.pub
PidFile $ssh_dir/pid
PermitRootLogin yes
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
END
cat >"$ssh_dir/config" <<END
Host bench
  HostName 127.0.0.1
  Port $port
  User root
  IdentityFile $ssh_dir/user
  IdentitiesOnly yes
  UserKnownHostsFile $ssh_dir/known
  StrictHostKeyChecking accept-new
END
mkdir -p /run/sshd
/usr/sbin/sshd -f "$ssh_dir/sshd_config"
trap 'kill "$(cat "$ssh_dir/pid")"; umount -q "$ssh_dir/mounted"; rm -rf "$ssh_dir" "$work"' EXIT
mkdir "$ssh_dir/mounted"
key="sftp,host=127.0.0.1,port=$port,user=root,key_file=$ssh_dir/user,shell_type=unix"

# send TITLE IMAGE: all of an ext image.
send() {
  [ -e "$2" ] || return 0
  mount -o ro,noload,loop "$2" "$ssh_dir/mounted" || return 0
  command "offmount copy" "'$offmount' copy '$2' --to sftp://bench$out/x --ssh 'ssh -F $ssh_dir/config' --state $out/state --quiet"
  command "scp -r" "scp -qrp -F $ssh_dir/config $ssh_dir/mounted bench:$out/x"
  command "sftp" "echo 'put -R $ssh_dir/mounted $out/x' | sftp -q -b - -F $ssh_dir/config bench"
  command "rclone copy" "rclone copy -l --transfers 16 $ssh_dir/mounted :$key:$out/x"
  table "$1" "scp -r"
  umount "$ssh_dir/mounted"
}

if [ -e "$images/server.img" ]; then root=$(server_root); send "Over SFTP: the root of a server" "$root"; fi
one=$ssh_dir/one.ext4
truncate -s 1200M "$one" && mkfs.ext4 -q "$one" && mount -o loop "$one" "$ssh_dir/mounted" &&
  head -c 1G /dev/urandom >"$ssh_dir/mounted/large" && umount "$ssh_dir/mounted" && send "Over SFTP: one file of 1 GiB" "$one"
