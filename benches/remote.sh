#!/usr/bin/env bash
# benches/remote.sh IMAGES_DIR [KIND...]: copying to services on this machine (sftp, s3, swift, webdav; all unless named),
# hashed and with a manifest, beside tools that send files from a mounted image. Needs root, openssh-server, rclone, s3cmd,
# OpenStack Swift, hyperfine. FILES names what is sent: `large` (one file of 1 GiB), `small` (4,000 files), both unless it is
# given, or `root`, the 86,700 files of a server's root, which IMAGES_DIR holds (benches/images.sh). The sshd has keys and a configuration of its own, in a temporary folder.
source "$(dirname "$0")/measure.sh"
bash "$top/tests/packages" rclone=rclone s3cmd=s3cmd sshd=openssh-server swift-proxy-server=swift-proxy \
  swift-account-server=swift-account swift-container-server=swift-container swift-object-server=swift-object \
  memcached=memcached
shift
kinds=${*:-sftp s3 swift webdav}
unset AWS_CA_BUNDLE # which rclone does not take

bench=$(mktemp -d "${SERVED:-/var/tmp}/offmount-remote.XXXXXX")
export XDG_STATE_HOME=$out/state RCLONE_CONFIG=/dev/null OFFMOUNT_WEBDAV_PASSWORD=word
mounted=$bench/mounted
mkdir "$mounted"
cleanup() {
  jobs -p | xargs -r kill 2>/dev/null || true
  [ ! -e "$bench/pid" ] || kill "$(cat "$bench/pid")" || true
  umount -q "$mounted" || true
  wait
  rm -rf "$bench" "$work"
}
trap cleanup EXIT

# listens PORT: waits until something does.
listens() {
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done
}

start_sftp() {
  ssh-keygen -qt ed25519 -N '' -f "$bench/host"
  ssh-keygen -qt ed25519 -N '' -f "$bench/user"
  cat >"$bench/sshd_config" <<END
Port 2422
ListenAddress 127.0.0.1
HostKey $bench/host
AuthorizedKeysFile $bench/user.pub
PidFile $bench/pid
PermitRootLogin yes
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
END
  cat >"$bench/config" <<END
Host bench
  HostName 127.0.0.1
  Port 2422
  User root
  IdentityFile $bench/user
  IdentitiesOnly yes
  UserKnownHostsFile $bench/known
  StrictHostKeyChecking accept-new
END
  mkdir -p /run/sshd
  /usr/sbin/sshd -f "$bench/sshd_config"
  listens 2422
}

# Swift, which speaks S3 too; a copy goes to a new place each time.
start_swift() {
  [ ! -e "$bench/swift" ] || return 0
  mkdir "$bench/swift"
  tail -f /dev/null | bash "$top/tests/servers/swift.sh" "$bench/swift" 2430 &
  listens 2430 && listens 2431 && listens 2432 && listens 2433 && listens 2434
  export ST_AUTH=http://127.0.0.1:2430/auth/v1.0 ST_USER=test:tester ST_KEY=testing
  export AWS_ENDPOINT_URL=http://127.0.0.1:2430 AWS_ACCESS_KEY_ID=test:tester AWS_SECRET_ACCESS_KEY=testing
  s3="s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='$AWS_ENDPOINT_URL',force_path_style=true"
  swift="swift,user='test:tester',key=testing,auth='$ST_AUTH'"
  rclone mkdir ":$s3:bench"
}
start_s3() { start_swift; }

start_webdav() {
  mkdir -p "$work/dav"
  rclone serve webdav --addr 127.0.0.1:2440 --user user --pass word "$work/dav" &
  listens 2440
}

# peers KIND IMAGE: what is measured.
peers() {
  local image=$2 new='$(date +%s%N)'
  case $1 in
    sftp)
      local key="sftp,host=127.0.0.1,port=2422,user=root,key_file=$bench/user,shell_type=unix"
      command "offmount copy" "'$offmount' copy '$image' --to sftp://bench$out/x --ssh 'ssh -F $bench/config' --quiet"
      command "scp -r" "scp -qrp -F $bench/config $mounted bench:$out/x"
      command "sftp" "echo 'put -R $mounted $out/x' | sftp -q -b - -F $bench/config bench"
      # Its check afterwards starts a shell and md5sum for every file: 3 small files a second.
      command "rclone copy" "rclone copy -l --transfers 16 --sftp-disable-hashcheck $mounted :$key:$out/x"
      ;;
    s3)
      command "offmount copy" "'$offmount' copy '$image' --to s3://bench/$new --quiet"
      command "offmount copy --pack" "'$offmount' copy '$image' --to s3://bench/$new --quiet --pack"
      command "s3cmd" "s3cmd -q --no-ssl --host 127.0.0.1:2430 --host-bucket 127.0.0.1:2430 --access_key test:tester \
        --secret_key testing --region us-east-1 put -r $mounted/ s3://bench/$new/"
      command "rclone copy" "rclone copy --transfers 16 $mounted \":$s3:bench/$new\""
      ;;
    swift)
      command "offmount copy" "'$offmount' copy '$image' --to swift://bench/$new --quiet"
      command "offmount copy --pack" "'$offmount' copy '$image' --to swift://bench/$new --quiet --pack"
      command "rclone copy" "rclone copy --transfers 16 --swift-chunk-size 64M $mounted \":$swift:bench/$new\""
      ;;
    webdav)
      command "offmount copy" "'$offmount' copy '$image' --to webdav://user@127.0.0.1:2440/$new --quiet"
      local obscured
      obscured=$(rclone obscure word)
      command "rclone copy" "rclone copy --transfers 16 $mounted \":webdav,url='http://127.0.0.1:2440',user=user,pass='$obscured':$new\""
      ;;
  esac
}

# send TITLE IMAGE: all of an ext image, to every kind.
send() {
  mount -o ro,noload,loop "$2" "$mounted"
  for kind in $kinds; do
    peers "$kind" "$2"
    table "$1 to $kind" "rclone copy"
    rm -rf "$work"/dav/* 2>/dev/null || true
  done
  umount "$mounted"
}

# made NAME SIZE SCRIPT: an ext4 that a shell script filled.
made() {
  truncate -s "$2" "$bench/$1"
  mkfs.ext4 -q "$bench/$1"
  mount -o loop "$bench/$1" "$mounted"
  rmdir "$mounted/lost+found"
  (cd "$mounted" && bash -euc "$3")
  umount "$mounted"
}

for kind in $kinds; do "start_$kind"; done
files=${FILES:-large small}
if [[ $files == *large* ]]; then
  made one 1200M 'head -c 1G /dev/urandom > large'
  send "One file of 1 GiB" "$bench/one"
fi
if [[ $files == *root* ]]; then
  send "The root of a server" "$(server_root)"
fi
if [[ $files == *small* ]]; then
  made small 512M 'for d in $(seq 40); do mkdir $d; for i in $(seq 100); do head -c $((i * d * 7919 % 40000)) /dev/urandom > $d/$i; done; done'
  send "4,000 small files" "$bench/small"
fi
