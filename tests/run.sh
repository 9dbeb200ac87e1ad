#!/usr/bin/env bash
# Everything that must pass, on a bare Debian 12 with Python 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/install.sh dev

needs=()
command -v chromium >/dev/null || needs+=(chromium)
[ -x /usr/lib/postgresql/15/bin/postgres ] || needs+=(postgresql-15)
for name in redis-server pgbouncer nginx; do
    PATH="$PATH:/usr/sbin" command -v "$name" >/dev/null || needs+=("$name")
done
if [ ${#needs[@]} -gt 0 ] && command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    # The tests start servers of their own on free ports; the packages' must not start too.
    printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null &&
        $as_root chmod +x /usr/sbin/policy-rc.d || true
    $as_root apt-get update -qq >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y "${needs[@]}" >/dev/null 2>&1 ||
        echo "Could not install ${needs[*]}; the tests that need them say so."
    $as_root rm -f /usr/sbin/policy-rc.d || true
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy .
.venv/bin/lint-imports
.venv/bin/python manage.py makemigrations --check --dry-run

only=(-m "not slow")
[ -z "${FULL:-}" ] || only=()
# Many tests wait for servers and browsers, so one process more than there are cores keeps the cores
# busy. Each process starts what it needs itself.
cores=$(nproc)
beside=(-n "$((cores > 3 ? 4 : cores + 1))" --dist worksteal)
failed=$(mktemp -d)
trap 'rm -rf "$failed"' EXIT

# Run the tests, and those that fail once more, one after another: some of them have a time limit
# that a busy machine misses. What fails twice fails the run.
run_tests() {
    local status=0
    "$@" "${beside[@]}" || status=$?
    [ "$status" = 1 ] || return "$status"
    echo "Running the tests that failed once more, one after another."
    "$@" -n 0 --last-failed --last-failed-no-failures none
}

# The cache of pytest, off elsewhere, holds what failed.
pytest=(.venv/bin/python -m pytest -o "addopts=-q --strict-markers" -o "cache_dir=$failed" "${only[@]}")
run_tests "${pytest[@]}" "$@"
# The same answers on PostgreSQL: what reads, ingests, groups and searches runs there too, but
# not what uses no database, or starts one of its own choice.
if [ $# -eq 0 ] && [ -x /usr/lib/postgresql/15/bin/postgres ]; then
    run_tests .venv/bin/python -m tests.services postgres -- "${pytest[@]}" --database-only \
        tests/accounts tests/digests tests/feeds tests/ainews_site/queue/test_broker.py
fi
