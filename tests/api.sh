#!/usr/bin/env bash
# The tests of the API against a real PostgreSQL, in a Python environment of the API's own locked requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=build/api-venv

requirements/packages.sh postgresql redis-server openssl
locked=(files/api/requirements.txt files/api/requirements-test.txt)
if ! cat "${locked[@]}" | cmp --silent - "$environment/locked" 2> /dev/null; then
    requirements/install.sh "$environment" "${locked[@]}"
    cat "${locked[@]}" > "$environment/locked"
fi
cd files/api
PYTHONPATH=src exec "../../$environment/bin/python" -m pytest -q
