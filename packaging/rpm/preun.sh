# $1 is 0 on a removal and 1 on an upgrade.
if [ "$1" -eq 0 ]; then
    if [ -d /run/systemd/system ]; then
        systemctl --system stop netready.service 'netready@*.service' >/dev/null 2>&1 || :
    fi
    systemctl --system --no-reload disable netready.service >/dev/null 2>&1 || :
    systemctl --global --no-reload disable netready.service >/dev/null 2>&1 || :
fi
