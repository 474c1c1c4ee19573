#!/bin/sh
# Makes .venv from the pinned requirements, and again when a requirements file, the Python or this directory's path
# has changed. PYTHON=/path/to/python3 chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

requirements=requirements-dev.txt
stamp=.venv/.made-from

# Prints the interpreter behind a command, if it is one to make virtual environments with: .venv itself may come
# first on PATH, and it is about to be removed.
interpreter_of() {
    "$1" -c '
import ensurepip, os, sys, venv
sys.exit("too old") if sys.version_info < (3, 11) else print(os.path.realpath(sys._base_executable))
' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        interpreter_of "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        interpreter_of "$candidate" && return
    done
    return 1
}

if ! python=$(find_python); then
    echo "No Python >= 3.11 with the venv and ensurepip modules among: ${PYTHON:-python3 python3.11 ... python3.14}." >&2
    [ -z "${PYTHON:-}" ] || exit 1
    tools/system.sh python3-venv
    python=$(find_python) || {
        echo "This system's python3 is too old. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2
        exit 1
    }
fi

version=$("$python" --version)
made_from="$(pwd) $python $version $(cat requirements.txt "$requirements" | cksum)"
if [ "$made_from" = "$(cat "$stamp" 2>/dev/null)" ]; then
    exit 0
fi

packages=$(cat requirements.txt "$requirements" | grep -c '==')
echo "Making .venv with $version ($python): $packages packages, as pinned in $requirements. About 30 s."
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --quiet --no-input --disable-pip-version-check --progress-bar off \
    --requirement "$requirements"
.venv/bin/python -m pip check --disable-pip-version-check >/dev/null || {
    echo "The pins in $requirements do not fit together: .venv/bin/python -m pip check" >&2
    exit 1
}
echo "$made_from" >"$stamp"
