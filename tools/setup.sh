#!/bin/sh
# Make .venv and install the package with the extras [all], and the dependency groups that are named,
# in the versions that were tested.
# On Debian and Ubuntu, install the Qt/OpenGL libraries and Xvfb that are missing; elsewhere name
# what napari needs. Does nothing when all is there already.
set -eu
cd "$(dirname "$0")/.."
groups=""
for group in "$@"; do groups="$groups --group $group"; done

say() { printf '==> %s\n' "$*"; }

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "Python 3.11 or later is needed; '$python' is not. Set PYTHON=/path/to/python3.11"
    exit 1
fi

# What a Qt window, OpenGL and a virtual display need on a bare Debian.
packages="libegl1 libgl1 libopengl0 libgl1-mesa-dri libglib2.0-0 libfontconfig1 libdbus-1-3
libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core"
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    packages="$packages xvfb xauth"
fi
# Only the system's own Python lacks venv without this package.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    packages="$packages python3-venv"
fi
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    missing=""
    for package in $packages; do
        status=$(dpkg-query -W -f '${Status}\n' "$package" "$package:*" 2>/dev/null || true)
        case "$status" in
            *"ok installed"*) ;;
            # Renamed in later releases (the t64 transition): a provider counts as well.
            *) dpkg-query -W -f '${Status}\n' "${package}t64" 2>/dev/null | grep -q "ok installed" ||
                missing="$missing $package" ;;
        esac
    done
    if [ -n "$missing" ]; then
        say "Installing system libraries:$missing"
        if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi
        $sudo apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing
    fi
elif [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && ! command -v xvfb-run >/dev/null; then
    say "No display and no xvfb-run: install Xvfb, Mesa OpenGL and the xcb libraries of Qt 6"
    exit 1
fi

[ -x .venv/bin/python ] || { say "Making the virtual environment .venv"; "$python" -m venv .venv; }
stamp=.venv/.installed
wanted="all$groups $(cat pyproject.toml constraints.txt | cksum)"
if [ "$(cat $stamp 2>/dev/null || true)" != "$wanted" ]; then
    say "Installing napari-superpixels[all]$groups into .venv, versions from constraints.txt"
    # Python 3.11 brings a pip that does not know dependency groups.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
    .venv/bin/python -m pip install --quiet -c constraints.txt -e ".[all]"$groups
    echo "$wanted" >$stamp
fi
