#!/bin/sh
# Makes the secrets that compose.yaml mounts, each in a file of its own, in deploy/secrets/. What is
# there already stays: run it again after adding a program. Keep a copy of hook_key and master_key:
# without them the stored webhook secrets and tokens cannot be opened any more.
set -eu
umask 077

dir=${1:-$(dirname "$0")/secrets}
mkdir -p "$dir"
cd "$dir"
make() { # make NAME COMMAND...: the command's output, unless the file is there
    name=$1
    shift
    [ -s "$name" ] && return
    "$@" >"$name.new"
    # The containers run as another user than you: the file is readable, its folder is not.
    chmod 444 "$name.new"
    mv "$name.new" "$name"
    echo "made $dir/$name"
}
url() { echo "redis://$1:$(cat "redis_$1_password")@redis:6379"; }

make hook_key openssl rand -base64 32
make master_key openssl rand -base64 32
make admin_token openssl rand -hex 24
make support_token openssl rand -hex 24
make redis_receiver_password openssl rand -hex 24
make redis_worker_password openssl rand -hex 24
make redis_receiver_url url receiver
make redis_worker_url url worker
