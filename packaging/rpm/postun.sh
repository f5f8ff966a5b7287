# $1 is 0 on a removal and 1 on an upgrade. /etc/netready stays, because the administrator wrote it.
if [ "$1" -eq 0 ]; then
    rm -rf /run/netready-record /run/private/netready-record
    if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || :; fi
    if command -v journalctl >/dev/null; then journalctl --update-catalog >/dev/null 2>&1 || :; fi
fi
