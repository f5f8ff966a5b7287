# Enables, starts and restarts nothing: a gate's start takes as long as its timeout where the network
# is not there. A running gate keeps its old binary until it is restarted.
if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || :; fi
