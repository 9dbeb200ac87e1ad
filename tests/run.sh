#!/usr/bin/env bash
# Everything that must pass, on a bare Debian 12 with Python 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/install.sh dev

needs=()
command -v chromium >/dev/null || needs+=(chromium)
[ -x /usr/lib/postgresql/15/bin/postgres ] || needs+=(postgresql-15)
for name in redis-server pgbouncer nginx shellcheck; do
    PATH="$PATH:/usr/sbin" command -v "$name" >/dev/null || needs+=("$name")
done
[ -z "${FULL:-}" ] || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || needs+=(rabbitmq-server)
[ -z "${FULL:-}" ] || PATH="$PATH:/usr/sbin" command -v postfix >/dev/null || needs+=(postfix)
command -v promtool >/dev/null || needs+=(prometheus)
command -v amtool >/dev/null || needs+=(prometheus-alertmanager)
command -v systemd-analyze >/dev/null || needs+=(systemd)
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

failed=$(mktemp -d)
beside=""
finish() {
    if [ -n "$beside" ]; then # SIGINT lets the tests end the servers that they started
        kill -INT -- "-$beside" && wait "$beside" || true
    fi
    rm -rf "$failed"
}
trap finish EXIT
export AINEWS_TESTS_PREPARED="$failed/prepared"
mkdir "$AINEWS_TESTS_PREPARED"

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
processes=$((cores > 3 ? 4 : cores + 1))

# The cache of pytest, off elsewhere, holds what failed.
on_sqlite() {
    .venv/bin/python -m pytest -o "addopts=-q --strict-markers" -o "cache_dir=$failed/sqlite" \
        "${only[@]}" "$@"
}
# The same answers on PostgreSQL: what reads, ingests, groups and searches runs there too, but
# not what uses no database, or starts one of its own choice.
on_postgres() {
    .venv/bin/python -m tests.services postgres -- .venv/bin/python -m pytest \
        -o "addopts=-q --strict-markers" -o "cache_dir=$failed/postgres" "${only[@]}" \
        --database-only tests/accounts tests/digests tests/feeds \
        tests/ainews_site/queue/test_broker.py tests/ainews_site/production tests/ainews_site/costs "$@"
}
# Run the tests that failed once more, one after another: some of them have a time limit that a busy
# machine misses. What fails twice fails the run. $1 is the status of the first time.
once_more() {
    [ "$1" = 1 ] || return "$1"
    shift
    echo "Running the tests that failed once more, one after another."
    "$@" -n 0 --last-failed --last-failed-no-failures none
}

# The tests on PostgreSQL use the cores while the others wait for servers and browsers.
if [ $# -eq 0 ] && [ -x /usr/lib/postgresql/15/bin/postgres ]; then
    set -m # a process group of its own, in which SIGINT is not ignored
    on_postgres -n $(((cores + 1) / 2)) --dist worksteal </dev/null >"$failed/postgres.log" 2>&1 &
    beside=$!
    set +m
fi
status=0
on_sqlite -n "$processes" --dist worksteal "$@" || status=$?
postgres=0
if [ -n "$beside" ]; then
    wait "$beside" || postgres=$?
    beside=""
    echo "On PostgreSQL:"
    cat "$failed/postgres.log"
fi
[ "$status" = 0 ] || once_more "$status" on_sqlite "$@"
[ "$postgres" = 0 ] || once_more "$postgres" on_postgres

# For `make release`, which needs to know that all tests passed on a commit.
if [ $# -eq 0 ] && [ -n "${FULL:-}" ] && [ -z "$(git status --porcelain 2>/dev/null || echo none)" ]; then
    git rev-parse HEAD >"$(git rev-parse --git-dir)/ainews-tested"
fi
