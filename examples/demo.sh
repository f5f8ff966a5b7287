#!/bin/sh
# A network comes up piece by piece, and netready says what is missing. Run it with: make demo
#
# Everything happens in a user namespace and a network namespace of the script's own. The script needs no root and
# changes nothing on this host, except for a folder below $TMPDIR, which it removes at the end. It takes 10 seconds.
#
# NETREADY=PATH names the program to show. By default it is the netready in PATH.
set -eu

die() {
    printf 'demo: %s\n' "$@" >&2
    exit 1
}

# Prints a command like somebody who types it, and runs it.
type_and_run() {
    printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@"
}

# Another user number than 0 keeps netready out of the system's directories, also if root runs the demo.
separate() {
    unshare --user --map-user=1000 --map-group=1000 --keep-caps --net "$@"
}

# Stops what this script has started, and nothing else.
stop_jobs() {
    for job in $jobs; do kill "$job" 2>/dev/null || true; done
    wait
}

start() {
    PATH=$PATH:/usr/sbin:/sbin
    program=$(command -v "${NETREADY:-netready}") ||
        die "there is no program ${NETREADY:-netready}; build it with: make" "then run: make demo"
    command -v ip >/dev/null || die "the program ip is missing; install the package iproute2 (Fedora: iproute)"
    command -v unshare >/dev/null || die "the program unshare is missing; install the package util-linux"
    refusal=$(separate true 2>&1) || die \
        "this system refuses a user namespace or a network namespace: $refusal" \
        "one of these commands allows both until the next boot, if its setting is the cause:" \
        "  sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0   (Ubuntu)" \
        "  sudo sysctl -w kernel.unprivileged_userns_clone=1               (Debian)" \
        "  sudo sysctl -w user.max_user_namespaces=15000                   (if it is 0)" \
        "the security profile of a container can also be the cause; then run the demo outside of the container"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    # Relative paths of the caller mean nothing in the folder.
    case $program in /*) ;; *) program=$PWD/$program ;; esac
    here=$(cd "$(dirname "$0")" && pwd)
    separate "$here/$(basename "$0")" --inside "$program" "$folder"
}

# The changes that the network goes through while the gate waits.
bring_up() {
    sleep 1.2
    ip link add eth0 up type veth peer name switch
    # No link-local address: it would be one more line that says nothing here.
    ip link set eth0 addrgenmode none
    sleep 1.2
    ip link set switch up
    sleep 1.2
    ip address add 2001:db8::7/64 dev eth0
    sleep 3
    ip route add default via 2001:db8::1 dev eth0
}

inside() {
    program=$1 folder=$2 jobs=
    # A new namespace has a loopback link, which is down, and nothing else. No host looks like this.
    links=$(ip -oneline link)
    case $links in
    '1: lo: <LOOPBACK> '*) ;;
    *) die "this part changes the network, so it runs in a new network namespace only" ;;
    esac
    [ "$(printf '%s\n' "$links" | grep -c .)" -eq 1 ] || die "this network namespace is not a new one"
    bold='' plain=''
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
    netready() { "$program" "$@"; }

    cd "$folder"
    # Only this folder's gate and record count, and no service manager is told.
    unset NOTIFY_SOCKET RUNTIME_DIRECTORY MANAGERPID LISTEN_FDS FDSTORE
    mkdir -m 700 runtime config
    export XDG_RUNTIME_DIR="$folder/runtime" XDG_CONFIG_HOME="$folder/config"
    trap stop_jobs EXIT
    trap 'exit 1' HUP INT TERM
    ip link set lo up
    cat >demo.toml <<-'GATE'
	[[require]]
	interface = "eth0"
	address   = "2001:db8::7"
	route     = "default-ipv6"
	GATE

    printf 'A program needs the address 2001:db8::7 on eth0, and a default route. This gate says so:\n'
    type_and_run cat demo.toml

    printf '\nA service manager keeps the gate:\n'
    printf '\n%s$ netready run ./demo.toml &%s\n' "$bold" "$plain"
    # Not the function: $! would be a shell around the program.
    "$program" run ./demo.toml >run.log 2>&1 &
    jobs=$!
    sleep 1

    printf '\nThere is no network yet:\n'
    type_and_run netready check ./demo.toml || true

    printf '\nMeanwhile the link, its carrier, the address and the route come. A program waits for them:\n'
    bring_up &
    jobs="$jobs $!"
    type_and_run netready wait ./demo.toml -- echo 'The program starts.'

    sleep 1

    type_and_run netready check ./demo.toml
    sleep 1.5

    type_and_run netready timeline demo
}

case ${1-} in
--inside) shift; inside "$@" ;;
'') start ;;
*) die "it takes no arguments" ;;
esac
