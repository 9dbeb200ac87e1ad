#!/usr/bin/env bash
# Everything that must pass, on a bare Debian 12 with Python 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/install.sh dev

if ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    $as_root apt-get update -qq >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y chromium >/dev/null 2>&1 ||
        echo "Chromium could not be installed; the browser tests say so."
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy .
.venv/bin/lint-imports
.venv/bin/python manage.py makemigrations --check --dry-run
if [ -n "${FULL:-}" ]; then
    .venv/bin/python -m pytest "$@"
else
    .venv/bin/python -m pytest -m "not slow" "$@"
fi
