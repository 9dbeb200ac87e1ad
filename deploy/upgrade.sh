#!/usr/bin/env bash
# Installs the version of this checkout beside the one that serves, and goes back if it does not
# work; docs/how-to/run-on-a-server.md describes it.
set -euo pipefail
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/lib.sh
. "$SOURCE/deploy/lib.sh"

NEEDED_MB=1000
TRIAL_PORT=8002
TRIAL_PATHS=(/health/ready /signin/)
LOCK=/run/ainews-upgrade.lock
action=upgrade

usage() {
    cat <<'HELP'
Usage: sudo deploy/upgrade.sh [--rollback | --finish | --restart | --dry-run]

Without an option, installs the version of this checkout: makes a backup, installs the release beside
the one that serves, migrates the database as far as that one survives, tries the new release on a
port of its own, and switches without refusing a request. If a step fails, the old release goes on
serving.

  --rollback   let the previous release serve again
  --finish     run the migrations that the previous release does not survive; after this, going back
               takes a backup
  --restart    restart the services of the release that serves, for example after a change of the
               settings, without refusing a request
  --dry-run    only say what would be done
  --help       show this text
HELP
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --rollback) action=rollback ;;
            --finish) action=finish ;;
            --restart) action=restart_all ;;
            --dry-run) dry_run=yes ;;
            --help | -h)
                usage
                exit 0
                ;;
            *) die "$1 is not an option; see --help." ;;
        esac
        shift
    done
}

check_installation() {
    if [ ! -L "$APP" ] || [ ! -r "$CHOICES" ]; then
        die "AI News is not installed here by deploy/install.sh: run that first."
    fi
    read_choices
    OLD=$(current_release)
    is_built "$OLD" || die "$APP leads to $OLD, which is incomplete: run deploy/install.sh of that version."
}

check_disk() {
    local free
    free=$(df --output=avail -m "$PREFIX" | tail -n 1)
    [ "$free" -ge "$NEEDED_MB" ] ||
        die "$PREFIX has $((free)) MB left, and a release needs $NEEDED_MB MB: free some. $OLD goes on serving."
}

take_lock() {
    exec 9>"$LOCK"
    flock --nonblock 9 || die "Another upgrade is running: wait until it has ended."
}

# step WHAT COMMAND: run it, and set `status`. Call it as a command of its own, as `quietly`.
step() {
    local what=$1 began=$SECONDS
    shift
    if [ "$dry_run" = yes ]; then
        say "  would  $what"
        return
    fi
    printf '  %s' "$what" || true
    quietly "$@"
    if [ "$status" = 0 ]; then
        printf ' (%d s)\n' $((SECONDS - began)) || true
    else
        printf ' - failed\n' || true
        last_lines
    fi
}

# must WHAT FAILURE COMMAND: a step without which nothing is switched.
must() {
    local what=$1 failure=$2
    shift 2
    step "$what" "$@"
    [ "$status" = 0 ] || die "$failure $OLD goes on serving, and nothing was switched. $log has all lines."
}

# --- The new release, before it serves anybody ----------------------------------------------------

back_up() { in_release "$OLD" backup --keep 14; }

migrate_ahead() { in_release "$NEW" migrate_ahead; }

finish_migrations() { in_release "$OLD" migrate; }

serves_on_trial() {
    local path status
    for path in "${TRIAL_PATHS[@]}"; do
        status=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 --noproxy '*' \
            --header "Host: $HOST" --header 'X-Forwarded-Proto: https' "http://127.0.0.1:$TRIAL_PORT$path" || true)
        echo "$path answered $status"
        [ "$status" = 200 ] || return 1
    done
}

# Serve the new release on a port that no reader knows, with the sandbox of the real unit.
try_release() {
    local unit=ainews-trial.service answered=1
    systemctl stop "$unit" 2>/dev/null || true # of an upgrade that was interrupted
    unit_text "$RELEASES/$NEW" ainews-pages-next.service |
        sed -e "s#/opt/ainews/app#$RELEASES/$NEW#g" -e "s/127\.0\.0\.1:8000/127.0.0.1:$TRIAL_PORT/" \
            -e '/^Requires=/d' -e '/^Sockets=/d' -e '/^After=ainews/d' \
            -e 's/^EnvironmentFile=.*/Environment=WEB_PROCESSES=1/' >"/run/systemd/system/$unit"
    systemctl daemon-reload
    if systemctl start "$unit" && serves_on_trial; then
        answered=0
    else
        journalctl --no-pager --lines 20 --output cat --unit "$unit"
    fi
    systemctl stop "$unit"
    systemctl reset-failed "$unit" 2>/dev/null || true
    rm -f "/run/systemd/system/$unit"
    systemctl daemon-reload
    return "$answered"
}

# --- The switch --------------------------------------------------------------------------------

# use RELEASE: let the link and the units be those of this release. What runs already goes on.
use() {
    point "$APP" "$RELEASES/$1"
    write_units "$RELEASES/$1"
    write_site "$RELEASES/$1"
    # Its rules are those of the release.
    if [ "$MONITORING" = yes ]; then systemctl reload prometheus || true; fi
}

# restart UNIT: if it does not start, write down what it said.
restart() {
    if ! systemctl restart "$1"; then
        systemctl show --property Result --value "$1"
        journalctl --no-pager --lines 10 --output cat --unit "$1"
        return 1
    fi
}

# While the pages restart, the same unit serves the same port once more. So no request waits for
# the start.
restart_pages() {
    systemctl start ainews-pages-next.service
    restart ainews-pages.service
    systemctl stop ainews-pages-next.service
}

# A page connects again when its daphne stops, and finds the other one listening.
restart_live() {
    systemctl start ainews-live-next.service
    restart ainews-live.service
    systemctl stop ainews-live-next.service
}

restart_worker() {
    restart ainews-worker@all.service
}

check_health() {
    local unit
    wait_for_answer /health/ready 60
    wait_for_answer /signin/ 20
    sleep 3 # a service that fails soon after its start
    for unit in "${SERVICES[@]}"; do
        systemctl is-active --quiet "$unit"
    done
    wait_for_answer /health/ready 20
}

# switch_to RELEASE: sets `status` to 1 if the release does not serve well. It ends also if the
# terminal is closed or Ctrl-C pressed: half a switch would leave two releases running.
switch_to() {
    [ "$dry_run" = yes ] || trap '' HUP INT TERM
    step "Switch to $1" use "$1"
    [ "$status" = 0 ] || return 0
    restart_services
}

# restart_services: sets `status` to 1 if a service does not start, or does not serve well.
restart_services() {
    step "Restart the pages while another process serves their port" restart_pages
    [ "$status" = 0 ] || return 0
    step "Restart live updates while another process serves their port" restart_live
    [ "$status" = 0 ] || return 0
    step "Restart the worker" restart_worker
    [ "$status" = 0 ] || return 0
    step "Check that the site answers and all services run" check_health
}

go_back() {
    say "$NEW does not work. Going back to $OLD:"
    systemctl stop "${NEXT_UNITS[@]}" 2>/dev/null || true
    switch_to "$OLD"
    [ "$status" = 0 ] ||
        die "$OLD does not work either: see journalctl -u 'ainews-*'. The backup is in $STATE/backups."
    die "$NEW did not work, so $OLD serves again. $log has all lines."
}

upgrade() {
    NEW=$(release_name "$SOURCE")
    if [ "$NEW" = "$OLD" ]; then
        say "AI News $NEW is installed already. Nothing was changed."
        return
    fi
    check_disk
    say "Upgrading AI News from $OLD to $NEW:"
    must "Back up the database to $STATE/backups" "The backup failed." back_up
    if ! is_built "$NEW"; then
        must "Install the release in $RELEASES/$NEW" "The installation failed." build_release "$SOURCE" "$NEW"
    fi
    must "Run the migrations that $OLD survives" "The migration failed." migrate_ahead
    must "Try $NEW on port $TRIAL_PORT" "$NEW does not start or does not answer." try_release
    switch_to "$NEW"
    [ "$status" = 0 ] || go_back
    [ "$dry_run" = no ] || return 0
    point "$PREVIOUS" "$RELEASES/$OLD"
    remove_old_releases
    say "" "AI News $NEW serves https://$HOST."
    say "To go back to $OLD: sudo $APP/deploy/upgrade.sh --rollback"
    report_postponed
}

report_postponed() {
    if ! in_release "$NEW" migrate --check >/dev/null 2>&1; then
        say "Some migrations wait, because $OLD would not survive them. When you are sure that you will not" \
            "go back to it: sudo $APP/deploy/upgrade.sh --finish"
    fi
}

rollback() {
    NEW=$(previous_release)
    [ -n "$NEW" ] || die "There is no previous release to go back to: run upgrade.sh of its checkout."
    is_built "$NEW" || die "The previous release $NEW is incomplete: run upgrade.sh of its checkout."
    say "Going back from $OLD to $NEW:"
    switch_to "$NEW"
    [ "$status" = 0 ] || go_back
    [ "$dry_run" = no ] || return 0
    point "$PREVIOUS" "$RELEASES/$OLD"
    say "" "AI News $NEW serves https://$HOST again, with the same database."
}

restart_all() {
    say "Restarting the services of $OLD:"
    restart_services
    if [ "$status" != 0 ]; then
        systemctl stop "${NEXT_UNITS[@]}" 2>/dev/null || true
        die "A service did not restart, or the site does not answer. $log has all lines."
    fi
}

finish() {
    say "Finishing the upgrade to $OLD:"
    must "Back up the database to $STATE/backups" "The backup failed." back_up
    # After this, the previous release does not work any more.
    [ "$dry_run" = yes ] || rm -f "$PREVIOUS"
    must "Run the migrations that waited" "A migration failed." finish_migrations
    [ "$dry_run" = yes ] || say "" "Going back to an earlier release takes a backup from now on."
}

main() {
    read_arguments "$@"
    need_root deploy/upgrade.sh
    check_installation
    if [ "$dry_run" = no ]; then
        need_systemd
        take_lock
        open_log upgrade.log
    fi
    "$action"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
