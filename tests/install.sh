#!/usr/bin/env bash
# Installs requirements/$1.txt into .venv, unless exactly that is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=requirements/$1.txt
stamp=.venv/installed-$1.txt
cmp -s "$wanted" "$stamp" && exit 0

if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv -q --python "${PYTHON:-python3}" .venv
    uv pip install -q --python .venv/bin/python --require-hashes -r "$wanted"
else
    [ -x .venv/bin/pip ] || "${PYTHON:-python3}" -m venv --clear .venv || {
        echo "Python's venv module is missing; on Debian: apt-get install python3-venv"
        exit 1
    }
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$wanted"
fi
cp "$wanted" "$stamp"
