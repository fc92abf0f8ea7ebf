#!/usr/bin/env bash
# The tests of the API against real servers (PostgreSQL, Redis, S3), in a Python environment of the API's own locked requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements/packages.sh redis-server openssl
requirements/api.sh
cd files/api
PYTHONPATH=src exec ../../build/api-venv/bin/python -m pytest -q
