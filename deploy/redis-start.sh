#!/bin/sh
# Starts Redis with redis.conf and the users' passwords: redis-start.sh [redis-server options]
# The passwords are files; only their hashes go into the configuration, which lies in /tmp (memory).
#   REDIS_CONF     the configuration       (default /etc/ledgerhook/redis.conf)
#   REDIS_SECRETS  a folder that holds redis_receiver_password and redis_worker_password
#                                          (default /run/secrets)
set -eu
umask 077

source=${REDIS_CONF:-/etc/ledgerhook/redis.conf}
secrets=${REDIS_SECRETS:-/run/secrets}
hash() { # the hash of one password file, without the newline an editor may have left
    password=$(cat "$secrets/redis_$1_password")
    [ "${#password}" -ge 16 ] || { echo "redis-start: the password of $1 is shorter than 16" >&2; exit 1; }
    printf %s "$password" | sha256sum | cut -d' ' -f1
}
receiver=$(hash receiver)
worker=$(hash worker)
target=$(mktemp)
sed -e "s/^user receiver on /&#$receiver /" -e "s/^user worker on /&#$worker /" "$source" >"$target"
exec redis-server "$target" "$@"
