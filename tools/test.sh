#!/bin/sh
# All tests: first what runs in one process, then real clusters with real kubectl and containers (as root).
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

echo "== unit, component, conformance, fuzz, examples"
python -m pytest -q tests/unit tests/component tests/conformance tests/fuzz examples
echo "== e2e"
python -m pytest -q tests/e2e
