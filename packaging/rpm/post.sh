# This script enables, starts and restarts no unit. Without a network, the start of a gate takes as long
# as its timeout. A running gate uses its old binary until it is restarted.
if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || :; fi
# Update the texts of "journalctl -x".
if command -v journalctl >/dev/null; then journalctl --update-catalog >/dev/null 2>&1 || :; fi
