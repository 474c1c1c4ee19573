#!/bin/sh
# Makes .venv from the pinned requirements, and again when a requirements file, the Python or this directory's path
# has changed. PYTHON=/path/to/python3 chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

requirements=requirements-dev.txt
stamp=.venv/.made-from

usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        if usable "$candidate"; then
            command -v "$candidate"
            return
        fi
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

interpreter=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable), sys.version.split()[0])')
made_from="$(pwd) $interpreter $(cat requirements.txt "$requirements" | cksum)"
if [ "$made_from" = "$(cat "$stamp" 2>/dev/null)" ]; then
    exit 0
fi

packages=$(cat requirements.txt "$requirements" | grep -c '==')
echo "Making .venv with $("$python" --version) ($python): $packages packages, as pinned in $requirements. About 30 s."
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --quiet --no-input --disable-pip-version-check --progress-bar off \
    --requirement "$requirements"
.venv/bin/python -m pip check --disable-pip-version-check >/dev/null || {
    echo "The pins in $requirements do not fit together: .venv/bin/python -m pip check" >&2
    exit 1
}
echo "$made_from" >"$stamp"
