# $1 is 0 on a removal and 1 on an upgrade. /etc/netready stays, because the administrator wrote it.
if [ "$1" -eq 0 ]; then
    rm -rf /run/netready-record /run/private/netready-record
    # rpm leaves the folders, because cargo-generate-rpm lists none. rmdir removes only an empty folder.
    for unit in user-wait-network-online restart kube@ auto-update; do
        rmdir "/usr/lib/systemd/user/podman-$unit.service.d" 2>/dev/null || :
    done
    for folder in docs/examples docs/how-to docs/schema docs examples packaging; do
        rmdir "/usr/share/doc/netready/$folder" 2>/dev/null || :
    done
    rmdir /usr/share/doc/netready /usr/lib/netready 2>/dev/null || :
    if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || :; fi
    if command -v journalctl >/dev/null; then journalctl --update-catalog >/dev/null 2>&1 || :; fi
fi
