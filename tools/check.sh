#!/bin/sh
# Lint, format, types, layers, and whether the generated files are what their generators make.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

check() {
    echo "== $*"
    "$@"
}

check ruff check .
check ruff format --check .
check mypy
check lint-imports
check python tools/generate_types.py --check
check python tools/generate_protobuf.py --check
