# shellcheck shell=bash
# What install.sh and upgrade.sh share: places, messages, releases, units and the site of Nginx.
# shellcheck disable=SC2034  # the scripts that read this file use the variables

PREFIX=/opt/ainews
APP=$PREFIX/app           # a link to the release that serves
PREVIOUS=$PREFIX/previous # a link to the one before, for --rollback
RELEASES=$PREFIX/releases
CONFIG=/etc/ainews
SETTINGS=$CONFIG/ainews.env
CHOICES=$CONFIG/install.conf # what install.sh was called with
CREDENTIALS=$CONFIG/credentials
TLS=$CONFIG/tls
STATE=/var/lib/ainews
LOGS=/var/log/ainews
UNITS=/etc/systemd/system
SITE=/etc/nginx/sites-available/ainews
SITE_LINK=/etc/nginx/sites-enabled/ainews
MANAGE=/usr/local/bin/ainews-manage
ACCOUNT=ainews
KEPT_RELEASES=3

HOST="" CERTIFICATE="" KEY="" DATABASE=postgresql
MONITORING=no ALERT_MAIL="" ALERT_WEBHOOK="" WATCHDOG=""
dry_run=no
log=/dev/null
status=0

# Print each argument on a line. A terminal that was closed ends no step.
say() { printf '%s\n' "$@" || true; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

need_root() { [ "$(id -u)" = 0 ] || die "$1 changes the system: run it as root, for example with sudo."; }

need_systemd() {
    [ -d /run/systemd/system ] ||
        die "systemd does not run on this machine: see docs/how-to/run-on-a-server.md for other ways."
}

# quietly COMMAND: run it with `set -e` and its output in the log, and set `status`. Call it as a
# command of its own: within `if`, `&&` or `||` bash ignores `set -e`.
quietly() {
    set +e
    (
        set -e
        "$@"
    ) >>"$log" 2>&1 </dev/null
    status=$?
    set -e
}

# The end of what a failed step wrote, indented.
last_lines() { [ "$log" = /dev/null ] || tail -n 12 "$log" | sed 's/^/    | /' >&2 || true; }

open_log() {
    install -d -m 0750 "$LOGS"
    log=$LOGS/$1
    touch "$log"
    chmod 0640 "$log"
    printf '\n=== %s\n' "$(date --iso-8601=seconds)" >>"$log"
}

read_choices() {
    # shellcheck source=/dev/null
    [ ! -r "$CHOICES" ] || . "$CHOICES"
}

# --- Releases ---------------------------------------------------------------------------------

# The files of a checkout that a release consists of, one a line.
release_files() {
    (cd "$1" && find . \( -name .git -o -name .venv -o -name __pycache__ -o -name '.*_cache' \
        -o -name .hypothesis -o -path ./var -o -name .env -o -path ./.complete \) -prune -o \
        \( -type f -o -type l \) -print | LC_ALL=C sort)
}

# A name from the version and the content, such as 0.2.0-1a2b3c4d5e6f: the same files have the same
# name, and a checkout needs no git.
release_name() {
    local version sum
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$1/pyproject.toml" | head -n 1)
    sum=$(cd "$1" && release_files . | tr '\n' '\0' | xargs -0 sha256sum | sha256sum)
    printf '%s-%.12s\n' "$version" "$sum"
}

is_built() { [ -e "$RELEASES/$1/.complete" ]; }

# build_release CHECKOUT NAME: copy the files, and install the requirements beside them. The files
# belong to root, so that the services cannot change them.
build_release() {
    local to=$RELEASES/$2
    rm -rf "$to"
    install -d -m 0755 "$PREFIX" "$RELEASES" "$to"
    (cd "$1" && release_files . | tar --create --no-recursion --files-from=- --owner=0 --group=0) |
        tar --extract --directory="$to" --no-same-owner
    chmod -R u=rwX,go=rX "$to"
    ln -sfn "$SETTINGS" "$to/.env"
    python3 -m venv "$to/.venv"
    "$to/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
        --require-hashes -r "$to/requirements/server.txt"
    # As the services cannot write there. Some packages have files for other versions of Python.
    "$to/.venv/bin/python" -m compileall -q -j 0 "$to" || true
    touch "$to/.complete"
}

# point LINK RELEASE: replace the link in one step, so that it always leads to a release.
point() {
    ln -sfn "$2" "$1.new"
    mv -T "$1.new" "$1"
}

current_release() { [ ! -L "$APP" ] || basename "$(readlink "$APP")"; }

previous_release() { [ ! -L "$PREVIOUS" ] || basename "$(readlink "$PREVIOUS")"; }

# Remove all but the newest releases, and never one that a link leads to.
remove_old_releases() {
    local name
    find "$RELEASES" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %f\n' | sort -rn |
        tail -n "+$((KEPT_RELEASES + 1))" | cut -d' ' -f2 | while IFS= read -r name; do
        [ "$name" = "$(current_release)" ] || [ "$name" = "$(previous_release)" ] ||
            rm -rf "${RELEASES:?}/$name"
    done
}

# in_release NAME COMMAND: run manage.py of a release as the account of the services. Only root
# reads the secrets, so that they are passed on in the environment.
in_release() {
    local release=$1
    shift
    (
        cd "$RELEASES/$release"
        AINEWS_MANAGE="sudo ainews-manage" SECRET_KEY=$(cat "$CREDENTIALS/secret_key") DATABASE_URL=$(cat "$CREDENTIALS/database_url") \
            exec runuser -u "$ACCOUNT" -- .venv/bin/python manage.py "$@"
    )
}

# --- What is written into the system ----------------------------------------------------------

UNIT_FILES=(ainews-pages.socket ainews-pages.service ainews-live.socket ainews-live.service
    ainews-worker@.service ainews-backup.service ainews-backup.timer)
NEXT_UNITS=(ainews-pages-next.service ainews-live-next.service)
SERVICES=(ainews-pages.service ainews-live.service ainews-worker@all.service)

# unit_text RELEASE UNIT: what belongs into /etc/systemd/system.
unit_text() {
    if [[ "$2" = *-next.service ]]; then
        # The same again, for the moment in which the service restarts.
        local of=${2%-next.service}
        sed -e "s/^Description=.*/&, while $of restarts/" \
            -e '/^\[Install\]/,$d' -e 's/^Restart=.*/Restart=no/' "$1/deploy/$of.service"
    else
        cat "$1/deploy/$2"
    fi
}

units_are_written() {
    local unit
    for unit in "${UNIT_FILES[@]}" "${NEXT_UNITS[@]}"; do
        unit_text "$1" "$unit" | cmp -s - "$UNITS/$unit" || return 1
    done
}

write_units() {
    local unit
    for unit in "${UNIT_FILES[@]}" "${NEXT_UNITS[@]}"; do
        unit_text "$1" "$unit" >"$UNITS/$unit"
    done
    systemctl daemon-reload
}

# The site of Nginx with this host and certificate.
site_text() {
    sed -e "s/news\.example/$HOST/g" \
        -e "s#^\( *ssl_certificate\) .*#\1 $CERTIFICATE;#" \
        -e "s#^\( *ssl_certificate_key\) .*#\1 $KEY;#" "$1/deploy/nginx-tls.conf"
}

site_is_written() {
    site_text "$1" | cmp -s - "$SITE" && [ "$(readlink -f "$SITE_LINK")" = "$SITE" ]
}

# write_site RELEASE: replace the site, or leave the old one if Nginx refuses the new one.
write_site() {
    local old=""
    [ ! -e "$SITE" ] || old=$(cat "$SITE")
    site_text "$1" >"$SITE"
    ln -sfn "$SITE" "$SITE_LINK"
    if ! nginx -t; then
        if [ -n "$old" ]; then printf '%s\n' "$old" >"$SITE"; else rm -f "$SITE" "$SITE_LINK"; fi
        return 1
    fi
    systemctl reload-or-restart nginx
}

# --- Health ------------------------------------------------------------------------------------

# fetch PATH: the status with which Nginx on this machine answers as the site.
fetch() {
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 --insecure \
        --noproxy '*' --resolve "$HOST:443:127.0.0.1" "https://$HOST$1" || true
}

# wait_for_answer PATH SECONDS: wait until the site answers 200.
wait_for_answer() {
    local until=$((SECONDS + $2))
    while [ "$(fetch "$1")" != 200 ]; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 1
    done
}
