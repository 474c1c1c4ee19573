#!/bin/sh
# Installs Debian packages that are missing, as root; otherwise says what to run.
# Arguments: package names, or files that list them (one a line, # starts a comment).
set -eu

names() {
    for argument in "$@"; do
        case $argument in
            *.txt) [ ! -f "$argument" ] || sed 's/#.*//' "$argument" ;;
            *) echo "$argument" ;;
        esac
    done
}

installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian-like system, nothing was installed. What is needed, by Debian's names:" $(names "$@") >&2
    exit 0
fi

missing=
for name in $(names "$@"); do
    installed "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "Packages are missing. Please run:" >&2
    echo "    sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "Installing with apt-get:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of names
if ! { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
