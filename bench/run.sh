#!/usr/bin/env bash
# Install what the benchmark of the API needs, build the opponents, and run it; arguments go to the runner.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements/api.sh
requirements/packages.sh redis-server
requirements/node.sh
(
    export PATH=$PWD/build/node/bin:$PATH
    cd bench
    if ! cmp --silent package-lock.json node_modules/locked 2> /dev/null; then
        npm ci --ignore-scripts --no-update-notifier
        cp package-lock.json node_modules/locked
    fi
    npm run --silent generate > /dev/null
    npm run --silent check
)
PYTHONPATH=src exec .venv/bin/python -m enlevohub_bench_api "$@"
