# Enables, starts and restarts nothing: a gate's start takes as long as its timeout where the network
# is not there. A running gate keeps its old binary until it is restarted.
if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || :; fi
# What "journalctl -x" says.
if command -v journalctl >/dev/null; then journalctl --update-catalog >/dev/null 2>&1 || :; fi
