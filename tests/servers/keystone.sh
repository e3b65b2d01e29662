#!/usr/bin/env bash
# tests/servers/keystone.sh DIR PORT SWIFT: OpenStack Keystone on the loopback address, until standard input ends; user and
# project admin, password secret. Its catalogue names a Swift on port SWIFT in the region `here`. TOKEN_LIFE: seconds for which
# a token is good.
set -u
dir=$1 port=$2 swift=$3
mkdir -p "$dir/fernet"
for n in 0 1; do head -c 32 /dev/urandom | base64 | tr '+/' '-_' >"$dir/fernet/$n"; done
chmod 700 "$dir/fernet"
cat >"$dir/keystone.conf" <<END
[database]
connection = sqlite:///$dir/keystone.db
[fernet_tokens]
key_repository = $dir/fernet
[fernet_receipts]
key_repository = $dir/fernet
[token]
expiration = ${TOKEN_LIFE:-3600}
allow_expired_window = 0
[identity]
password_hash_rounds = 4
END
export OS_KEYSTONE_CONFIG_FILES=$dir/keystone.conf
{
  keystone-manage --config-file "$dir/keystone.conf" db_sync
  keystone-manage --config-file "$dir/keystone.conf" bootstrap --bootstrap-password secret \
    --bootstrap-public-url "http://127.0.0.1:$port/v3" --bootstrap-internal-url "http://127.0.0.1:$port/v3" \
    --bootstrap-region-id here
} >"$dir/log" 2>&1

exec 3<&0 </dev/null
inner=$((port + 1))
keystone-wsgi-public --host 127.0.0.1 --port "$inner" >>"$dir/log" 2>&1 &
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
until (exec 4<>"/dev/tcp/127.0.0.1/$inner") 2>/dev/null; do sleep 0.1; done

# ask PATH BODY: what is answered, headers and all.
ask() {
  curl -si "http://127.0.0.1:$inner/v3/$1" -H 'Content-Type: application/json' -H "X-Auth-Token: ${token:-}" -d "$2"
}
# field NAME: the first of this name.
field() { grep -o "\"$1\": \"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
token=$(ask auth/tokens '{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "admin",
  "domain": {"id": "default"}, "password": "secret"}}}, "scope": {"project": {"name": "admin",
  "domain": {"id": "default"}}}}}' | tr -d '\r' | sed -n 's/^X-Subject-Token: //ip')
service=$(ask services '{"service": {"type": "object-store", "name": "swift"}}' | field id)
ask endpoints "{\"endpoint\": {\"interface\": \"public\", \"region_id\": \"here\", \"service_id\": \"$service\",
  \"url\": \"http://127.0.0.1:$swift/v1/AUTH_\$(project_id)s\"}}" >>"$dir/log"
# Whoever waits for PORT finds all of it.
socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "TCP:127.0.0.1:$inner" &
cat <&3 >/dev/null
