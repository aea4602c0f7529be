#!/bin/sh
# Installs the Debian packages that are missing, nothing else. Idempotent; with nothing missing it
# asks dpkg once and is done. Usage: tests/setup.sh build|run|test|bench (each includes build, run)
set -eu

build="gcc make pkg-config libc6-dev libcivetweb-dev libcurl4-openssl-dev
       libhiredis-dev libssl-dev libzstd-dev"
run="redis-server python3 openssl tzdata"
check="libcmocka-dev python3-pytest python3-pytest-xdist python3-yaml clang libclang-rt-dev
       clang-format clang-tidy cppcheck"
measure="valgrind"

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

case "${1:-}" in
build) wanted="$build" ;;
run) wanted="$build $run" ;;
test)
    wanted="$build $run $check"
    command -v kubectl >/dev/null || wanted="$wanted kubernetes-client"
    ;;
bench) wanted="$build $run $measure" ;;
*) die "usage: tests/setup.sh build|run|test|bench" ;;
esac

command -v dpkg-query >/dev/null ||
    die "not a Debian system: install the equivalents of:" $wanted

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true)
missing=
for package in $wanted; do
    echo "$installed" | grep -qx "installed $package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command="apt-get install --no-install-recommends$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo -n"
    $sudo true 2>/dev/null || die "missing packages and no root here; run as root: $command"
fi

# The tests start Redis themselves, on their own port: installing the package must not start one.
# RUNLEVEL=1 says so to sysvinit and containers, the mask to systemd. A Redis that was there stays.
masked=
hold_redis() {
    case "$missing " in *" redis-server "*) ;; *) return 0 ;; esac
    [ -d /run/systemd/system ] || return 0
    if $sudo systemctl --quiet mask --runtime redis-server.service 2>/dev/null; then masked=yes; fi
}
release_redis() {
    [ -n "$masked" ] || return 0
    $sudo systemctl --quiet unmask --runtime redis-server.service
    $sudo systemctl --quiet disable redis-server.service 2>/dev/null || true
    masked=
}

apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -y \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" </dev/null
}
output=$(mktemp)
trap 'release_redis; rm -f "$output"' EXIT

say "installing$missing"
hold_redis
if ! apt install --no-install-recommends $missing >"$output" 2>&1; then
    # The package lists may be absent or old: fetch them once and try again.
    apt update >"$output" 2>&1 || true
    if ! apt install --no-install-recommends $missing >"$output" 2>&1; then
        die "cannot install ($(grep -m1 '^E:' "$output" || tail -n1 "$output")); run: $command"
    fi
fi
