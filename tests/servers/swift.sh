#!/usr/bin/env bash
# tests/servers/swift.sh DIR PORT: OpenStack Swift on the loopback address, of one node, until standard input ends. Its proxy
# listens on PORT and speaks Swift (tempauth) and S3; user test:tester, key testing; user test:guest, key visiting, may do
# nothing. KEYSTONE: the port of a Keystone that says who may do what instead, and then without S3. TOKEN_LIFE: seconds for
# which a token is good. The ports after PORT are used too.
set -u
dir=$1 port=$2
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
mkdir -p "$dir"/{etc,disks/one,cache,logs}

printf '[swift-hash]\nswift_hash_path_suffix = offmount\n[storage-policy:0]\nname = one\ndefault = yes\n' >"$dir/etc/swift.conf"

# server NAME PORT: the ring and the settings of one kind of server.
server() {
  if [ ! -e "$dir/etc/$1.ring.gz" ]; then
    swift-ring-builder "$dir/etc/$1.builder" create 6 1 1
    swift-ring-builder "$dir/etc/$1.builder" add "r1z1-127.0.0.1:$2/one" 1
    swift-ring-builder "$dir/etc/$1.builder" rebalance
  fi
  cat >"$dir/etc/$1-server.conf" <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $2
user = $(id -un)
workers = 0
swift_dir = $dir/etc
devices = $dir/disks
mount_check = false
recon_cache_path = $dir/cache
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
END
}
server object $((port + 1)) >/dev/null
server container $((port + 2)) >/dev/null
server account $((port + 3)) >/dev/null

who="s3api tempauth"
[ -z "${KEYSTONE:-}" ] || who="authtoken keystoneauth"
cat >"$dir/etc/proxy-server.conf" <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
user = $(id -un)
workers = 0
swift_dir = $dir/etc
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk $who container_quotas slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 10
node_timeout = 60
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((port + 4))
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_guest = visiting
token_life = ${TOKEN_LIFE:-86400}
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = password
auth_url = http://127.0.0.1:${KEYSTONE:-}
www_authenticate_uri = http://127.0.0.1:${KEYSTONE:-}
username = admin
password = secret
project_name = admin
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
cache = swift.cache
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin
[filter:container_quotas]
use = egg:swift#container_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
END

# Each makes itself the head of a session: who kills this script must kill them too, by their numbers.
exec 3<&0 </dev/null
: >"$dir/pids"
memcached -u "$(id -un)" -l 127.0.0.1 -p $((port + 4)) >"$dir/logs/memcached" 2>&1 &
echo $! >>"$dir/pids"
for name in account container object proxy; do
  # A proxy passes over servers for a minute that it finds missing.
  if [ "$name" = proxy ]; then
    for n in 1 2 3 4; do
      until (exec 4<>"/dev/tcp/127.0.0.1/$((port + n))") 2>/dev/null; do sleep 0.05; done
    done
  fi
  "swift-$name-server" "$dir/etc/$name-server.conf" >"$dir/logs/$name" 2>&1 &
  echo $! >>"$dir/pids"
done
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
cat <&3 >/dev/null
