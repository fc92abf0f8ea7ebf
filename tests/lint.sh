#!/usr/bin/env bash
# All linters; every one runs even when an earlier one finds something.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0

check() {
    echo "== $1"
    shift
    "$@" || failed=1
}

mapfile -t dockerfiles < <(git ls-files '*Dockerfile')
mapfile -t shell < <(git ls-files '*.sh' .ci/run)
mapfile -t python < <(git ls-files 'src/*.py' 'tests/*.py' 'molecule/*.py' 'collections/*.py')

check "ruff" ruff check .
check "ruff (API)" ruff check files/api
check "mypy" mypy "${python[@]}"
check "yamllint" yamllint --strict .
check "ansible-lint" ansible-lint --nocolor -q
check "hadolint" hadolint "${dockerfiles[@]}"
check "shellcheck" shellcheck "${shell[@]}"
exit "$failed"
