#!/usr/bin/env bash
# Install Debian packages where they are missing: packages.sh <package>...
set -euo pipefail
missing=()
for package in "$@"; do
    if [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null)" != installed ]; then
        missing+=("$package")
    fi
done
if [ "${#missing[@]}" = 0 ]; then exit 0; fi
echo "Installing: ${missing[*]}"
if [ "$(id -u)" = 0 ]; then become=(); else become=(sudo); fi
for attempt in 1 2 3; do
    if "${become[@]}" apt-get -q update \
        && "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"; then
        exit 0
    fi
    echo "The installation failed (try $attempt of 3)" >&2
done
exit 1
