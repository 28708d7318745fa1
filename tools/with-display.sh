#!/bin/sh
# Run a command, on a virtual laptop screen where there is no display.
set -eu
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" != Linux ]; then
    exec "$@"
fi
exec xvfb-run -a -s "-screen 0 1366x768x24" "$@"
