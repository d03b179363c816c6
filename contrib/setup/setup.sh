#!/bin/sh
# Find a Python that can run the rest of the set-up, install Debian's where there is none, and go on in Python.
set -eu

here=$(dirname "$0")

find_python() {
    for name in python3 python3.11 python3.12 python3.13 python3.14; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        echo "setup: through sudo: $*" >&2
        sudo "$@"
    else
        return 1
    fi
}

if ! python=$(find_python); then
    echo "setup: there is no Python 3.11 or later; installing Debian's" >&2
    if ! command -v apt-get >/dev/null 2>&1 ||
        ! as_root apt-get update -qq ||
        ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
            python3 python3-venv ca-certificates >&2 ||
        ! python=$(find_python); then
        echo "setup: install Python 3.11 or later (Debian 12: python3 python3-venv ca-certificates) and run this again" >&2
        exit 1
    fi
fi

exec "$python" "$here/setup.py" "$@"
