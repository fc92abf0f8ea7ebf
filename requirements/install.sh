#!/usr/bin/env bash
# Make a Python environment from locked requirements: install.sh <environment> <requirements>...
set -euo pipefail
environment=$1
shift
options=()
for file in "$@"; do options+=(--requirement "$file"); done

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" > /dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: apt-get install python3" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2> /dev/null; then
    "$(dirname "$0")/packages.sh" "$python-venv"
fi
echo "Installing the Python environment from $* (about a minute the first time)"
"$python" -m venv "$environment"
for attempt in 1 2 3; do
    if "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes "${options[@]}"; then
        exit 0
    fi
    echo "The download failed (try $attempt of 3)" >&2
done
exit 1
