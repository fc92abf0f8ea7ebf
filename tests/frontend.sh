#!/usr/bin/env bash
# The tests of the SPA: types, units, and every screen in a real Chromium without a backend. Node.js is that of the image.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements/packages.sh chromium
requirements/node.sh
export PATH=$PWD/build/node/bin:$PATH
(
    cd files/frontend
    npm ci --ignore-scripts --no-update-notifier
    npm run check
    npm run build
    npm test
)
exec .venv/bin/python -m pytest -q tests/browser/test_spa_offline.py
