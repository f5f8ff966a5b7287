#!/bin/sh
# Installs netready from this folder, or removes it. It enables and starts nothing.
#
#   ./install.sh [--prefix DIR]               copies usr/ to DIR (default /usr/local)
#   ./install.sh --uninstall [--prefix DIR]   removes the files that it copied, if nobody changed them
#
# With DESTDIR=DIR in the environment it writes below DIR, and the programs name PREFIX without it.
set -eu

prefix=/usr/local
action=install
while [ "$#" -gt 0 ]; do
    case $1 in
    --prefix)
        prefix=${2:?--prefix needs a folder}
        shift 2
        ;;
    --uninstall)
        action=uninstall
        shift
        ;;
    *)
        echo "usage: ./install.sh [--uninstall] [--prefix DIR]" >&2
        exit 2
        ;;
    esac
done
case $prefix in
/*) ;;
*)
    echo "--prefix $prefix: use a path that begins with /" >&2
    exit 2
    ;;
esac

from=$(cd "$(dirname "$0")" && pwd)/usr
to=${DESTDIR:-}$prefix
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The units name the program by its path, so each file is first made as it will stand in PREFIX.
(cd "$from" && find . -type f | sort) | while IFS= read -r file; do
    case $file in
    ./lib/systemd/*.service | ./lib/systemd/*.conf)
        sed "s#/usr/bin/netready#$prefix/bin/netready#g" "$from/$file" >"$scratch/file"
        made=$scratch/file
        ;;
    *) made=$from/$file ;;
    esac
    mode=644
    if [ -x "$from/$file" ]; then mode=755; fi
    if [ "$action" = install ]; then
        mkdir -p "$(dirname "$to/$file")"
        # A program that runs now keeps its old file.
        install -m "$mode" "$made" "$to/$file.new"
        mv -f "$to/$file.new" "$to/$file"
    elif cmp -s "$made" "$to/$file"; then
        rm -f "$to/$file"
        # Only folders that are empty now, and named like netready, go with it.
        case $(dirname "$file") in *netready*) rmdir "$(dirname "$to/$file")" 2>/dev/null || true ;; esac
    elif [ -e "$to/$file" ]; then
        echo "left alone, because it was changed: $to/$file" >&2
    fi
done

if [ -z "${DESTDIR:-}" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    journalctl --update-catalog >/dev/null 2>&1 || true
fi
