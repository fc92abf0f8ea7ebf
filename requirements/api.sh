#!/usr/bin/env bash
# Make the Python environment of the API and its tests, build/api-venv, and install PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=build/api-venv
locked=(files/api/requirements.txt files/api/requirements-test.txt)

requirements/packages.sh postgresql
if cat "${locked[@]}" | cmp --silent - "$environment/locked" 2> /dev/null; then exit 0; fi
requirements/install.sh "$environment" "${locked[@]}"
cat "${locked[@]}" > "$environment/locked"
