#!/usr/bin/env bash
# Everything that must pass, on a bare Debian 12 with Python 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
fi
if ! cmp -s requirements/dev.txt .venv/installed-dev.txt; then
    if command -v uv >/dev/null; then
        uv pip install -q --python .venv/bin/python --require-hashes -r requirements/dev.txt
    else
        .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
    fi
    cp requirements/dev.txt .venv/installed-dev.txt
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy .
.venv/bin/lint-imports
.venv/bin/python manage.py makemigrations --check --dry-run
.venv/bin/python -m pytest "$@"
