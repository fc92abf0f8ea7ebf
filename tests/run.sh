#!/usr/bin/env bash
# All tests, one after the other. Prints how many ran, and fails when a part ran none.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
total=0
began=$SECONDS

# part <name> <command...>: run a part of the tests and count what passed.
part() {
    local name=$1 log="build/test-$1.log" begin=$SECONDS passed
    shift
    echo "=== $name"
    if ! "$@" 2>&1 | tee "$log"; then
        echo "=== $name FAILED after $((SECONDS - begin)) s"
        exit 1
    fi
    passed=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -v 'Test Files' | { grep -oE '[0-9]+ passed' || true; } | awk '{n += $1} END {print n + 0}')
    if [ "$passed" = 0 ]; then
        echo "=== $name ran no test"
        exit 1
    fi
    total=$((total + passed))
    echo "=== $name: $passed passed in $((SECONDS - begin)) s"
}

echo "=== lint"
tests/lint.sh
part fast python -m pytest -q -n2
part f5 python -m pytest -q -n2 tests/f5_play
part api tests/api.sh
part frontend tests/frontend.sh
requirements/packages.sh chromium
part datacenter molecule test --no-command-borders
echo "All parts green in $((SECONDS - began)) s."
echo "$total passed, 0 failed"
