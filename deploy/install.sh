#!/usr/bin/env bash
# Installs AI News on this server; docs/how-to/run-on-a-server.md describes it.
set -euo pipefail
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/lib.sh
. "$SOURCE/deploy/lib.sh"
# shellcheck source=deploy/monitoring.sh
. "$SOURCE/deploy/monitoring.sh"

OS_RELEASE=/etc/os-release
NEEDED_MB=1500
READER=reader
with_sources=yes
own_certificate=yes
lists_are_new=no
builder=""
changes=0

usage() {
    cat <<'HELP'
Usage: sudo deploy/install.sh --host NAME [OPTIONS]

Installs AI News from this checkout: PostgreSQL, Redis, Nginx with HTTPS, the services and a backup
each night. It says what it does, and changes nothing that is as it should be: run it again at any
time.

  --host NAME         the name under which readers open the site, such as news.example.org
  --certificate FILE  certificate with its chain, in PEM (default: one of an own authority)
  --key FILE          its private key
  --sqlite            use SQLite instead of PostgreSQL and Redis: for one machine and few readers
  --reader NAME       first account (default: reader)
  --no-sources        follow no sources of the catalogue
  --monitoring        also install Prometheus and Alertmanager, which need a receiver:
  --alert-mail ADDRESS  alerts by e-mail, through the server of EMAIL_URL or this machine's
  --alert-webhook URL   alerts by HTTP, as Alertmanager sends them
  --watchdog URL      called each minute while alerts work; let a service outside expect that
  --dry-run           only say what would be done
  --help              show this text

Debian 12 and 13 and Ubuntu 24.04 are supported. `deploy/upgrade.sh` installs another version.
HELP
}

read_arguments() {
    read_choices
    [ -z "$CERTIFICATE" ] || [ "$CERTIFICATE" = "$TLS/site.crt" ] || own_certificate=no
    while [ $# -gt 0 ]; do
        case "$1" in
            --host | --certificate | --key | --reader | --alert-mail | --alert-webhook | --watchdog)
                [ $# -gt 1 ] || die "$1 needs a value; see --help."
                case "$1" in
                    --host) HOST=$2 ;;
                    --certificate) CERTIFICATE=$2 own_certificate=no ;;
                    --key) KEY=$2 own_certificate=no ;;
                    --reader) READER=$2 ;;
                    --alert-mail) ALERT_MAIL=$2 ;;
                    --alert-webhook) ALERT_WEBHOOK=$2 ;;
                    --watchdog) WATCHDOG=$2 ;;
                esac
                shift
                ;;
            --sqlite) DATABASE=sqlite ;;
            --monitoring) MONITORING=yes ;;
            --no-sources) with_sources=no ;;
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

# --- What must hold before anything is changed --------------------------------------------------

check_distribution() {
    local id version
    # shellcheck source=/dev/null
    id=$(. "$OS_RELEASE" && echo "${ID:-}")
    # shellcheck source=/dev/null
    version=$(. "$OS_RELEASE" && echo "${VERSION_ID:-}")
    case "$id $version" in
        "debian 12" | "debian 13" | "ubuntu 24.04") ;;
        *) die "${id:-This system} $version is not supported: use Debian 12 or 13 or Ubuntu 24.04," \
            "or install by hand as docs/how-to/run-on-a-server.md describes." ;;
    esac
}

check_host() {
    [ -n "$HOST" ] || die "--host is missing: name the site, for example --host news.example.org."
    local label='[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
    [[ "$HOST" =~ ^$label(\.$label)*$ && ${#HOST} -le 253 ]] ||
        die "'$HOST' is not a host name: use letters, digits, hyphens and dots, without https:// and port."
}

check_reader() {
    [[ "$READER" =~ ^[A-Za-z0-9@.+_][A-Za-z0-9@.+_-]{0,149}$ ]] ||
        die "'$READER' is not a name of an account: use letters, digits and @ . + - _, and no - first."
}

host_is_address() { [[ "$HOST" =~ ^[0-9.]+$ ]]; }

certificate_is_for_host() {
    local check=-checkhost
    if host_is_address; then check=-checkip; fi
    openssl x509 -in "$CERTIFICATE" -noout "$check" "$HOST" | grep -q 'does match'
}

check_certificate() {
    local file
    if [ "$own_certificate" = yes ]; then
        CERTIFICATE=$TLS/site.crt KEY=$TLS/site.key
        return
    fi
    [[ -n "$CERTIFICATE" && -n "$KEY" ]] ||
        die "--certificate and --key belong together: name both files."
    for file in "$CERTIFICATE" "$KEY"; do
        [ "${file:0:1}" = / ] || die "'$file' must be a path that begins with /."
        [ -r "$file" ] || die "$file does not exist or cannot be read: check --certificate and --key."
    done
    command -v openssl >/dev/null || return 0
    openssl x509 -in "$CERTIFICATE" -noout 2>/dev/null || die "$CERTIFICATE is not a certificate in PEM."
    [ "$(openssl x509 -in "$CERTIFICATE" -noout -pubkey)" = "$(openssl pkey -in "$KEY" -pubout 2>/dev/null)" ] ||
        die "$KEY is not the private key of $CERTIFICATE."
    certificate_is_for_host ||
        die "$CERTIFICATE is not for $HOST: get one for this name, or correct --host."
}

check_disk() {
    local folder free
    for folder in /opt /var; do
        free=$(df --output=avail -m "$folder" | tail -n 1)
        [ "$free" -ge "$NEEDED_MB" ] ||
            die "$folder has $((free)) MB left, and AI News needs $NEEDED_MB MB: free some or enlarge the disk."
    done
}

# holder PORT: the program that listens there, or nothing.
holder() {
    command -v ss >/dev/null || return 0
    ss -H -l -t -n -p "sport = :$1" | sed -n 's/.*users:(("\([^"]*\)".*/\1/p' | head -n 1
}

check_ports() {
    local port by
    for port in 80 443; do
        by=$(holder "$port")
        [ -z "$by" ] || [ "$by" = nginx ] ||
            die "Port $port is taken by $by, and Nginx needs it: stop or move $by."
    done
    [ ! -e "$UNITS/ainews-pages.socket" ] || return 0
    for port in 8000 8001; do
        by=$(holder "$port")
        [ -z "$by" ] || die "Port $port is taken by $by, and AI News needs it: stop or move $by."
    done
}

check_release() {
    if [ -e "$APP" ] && [ ! -L "$APP" ]; then
        die "$APP is a folder of an installation by hand: move it away as docs/how-to/run-on-a-server.md describes."
    fi
    local current
    current=$(current_release)
    [ -z "$current" ] || [ "$current" = "$RELEASE" ] ||
        die "AI News $current is installed: use deploy/upgrade.sh to install $RELEASE."
}

# --- Steps: each has a test whether it is done, and a command ------------------------------------

# ensure WHAT IS_DONE COMMAND: run COMMAND unless IS_DONE holds.
ensure() {
    local what=$1 is_done=$2
    shift 2
    if "$is_done" 2>/dev/null; then
        [ "$dry_run" = yes ] || say "  unchanged  $what"
        return
    fi
    changes=$((changes + 1))
    if [ "$dry_run" = yes ]; then
        say "  would      $what"
        return
    fi
    printf '  now        %s' "$what"
    local began=$SECONDS
    quietly "$@"
    if [ "$status" = 0 ]; then
        [ $((SECONDS - began)) -lt 2 ] || printf ' (%d s)' $((SECONDS - began))
        printf '\n'
    else
        printf '\n'
        last_lines
        die "This step failed: $what. The lines above say why; $log has all. Correct it and run this command again."
    fi
}

# What the requirements need, which are installed while the other packages are.
first_packages() { printf '%s\n' python3 python3-venv openssl ca-certificates; }

packages() {
    printf '%s\n' nginx curl iproute2
    if [ "$DATABASE" = postgresql ]; then printf '%s\n' postgresql redis-server; fi
}

missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || echo "$package"
    done
}

# shellcheck disable=SC2046  # one word for each package, here and below
has_first_packages() { [ -z "$(missing $(first_packages))" ]; }

# shellcheck disable=SC2046
has_packages() { [ -z "$(missing $(packages))" ]; }

# shellcheck disable=SC2046
has_monitoring_packages() { [ -z "$(missing $(monitoring_packages))" ]; }

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    [ "$lists_are_new" = yes ] || apt-get update
    apt-get install -y --no-install-recommends "$@"
}

# shellcheck disable=SC2046
install_first_packages() { apt_install $(missing $(first_packages)); }

# shellcheck disable=SC2046
install_packages() { apt_install $(missing $(packages)); }

# shellcheck disable=SC2046
install_monitoring_packages() { apt_install $(missing $(monitoring_packages)); }

# pip waits for the network and apt for the disk, so that both together take less time. The process
# has a group of its own, to be ended with its children.
begin_release() {
    if [ "$dry_run" = yes ] || release_is_built; then return 0; fi
    set -m
    (
        set -e
        build_release "$SOURCE" "$RELEASE"
    ) >"$LOGS/requirements.log" 2>&1 </dev/null &
    builder=$!
    set +m
    trap stop_builder EXIT
}

stop_builder() { kill -- "-$builder" 2>/dev/null || true; }

finish_release() {
    while kill -0 "$builder" 2>/dev/null; do sleep 0.2; done
    cat "$LOGS/requirements.log"
    release_is_built
}

has_account() { getent passwd "$ACCOUNT" >/dev/null; }

create_account() {
    useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin "$ACCOUNT"
}

release_is_built() { is_built "$RELEASE"; }

release_is_current() { [ "$(current_release)" = "$RELEASE" ]; }

has_folders() {
    [ -d "$TLS" ] && [ -d "$CREDENTIALS" ] && [ -d "$LOGS" ] && [ -d "$STATE" ] &&
        [ "$(stat -c %U:%a "$STATE")" = "$ACCOUNT:750" ]
}

create_folders() {
    install -d -m 0750 -g "$ACCOUNT" "$CONFIG"
    install -d -m 0700 "$CREDENTIALS"
    install -d -m 0755 "$TLS"
    install -d -m 0750 "$LOGS"
    install -d -m 0750 -o "$ACCOUNT" -g "$ACCOUNT" "$STATE"
}

has_secret_key() { [ -s "$CREDENTIALS/secret_key" ]; }

create_secret_key() {
    (umask 077 && openssl rand -hex 40 >"$CREDENTIALS/secret_key.new")
    mv "$CREDENTIALS/secret_key.new" "$CREDENTIALS/secret_key"
}

psql_as_owner() { runuser -u postgres -- psql --no-psqlrc --tuples-only --no-align "$@" </dev/null; }

postgresql_runs() { psql_as_owner -c 'SELECT 1' >/dev/null; }

start_postgresql() {
    systemctl enable --now postgresql
    local until=$((SECONDS + 30))
    until postgresql_runs; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 1
    done
}

has_database() {
    [ "$(psql_as_owner -c "SELECT count(*) FROM pg_roles WHERE rolname = '$ACCOUNT'")" = 1 ] &&
        [ "$(psql_as_owner -c "SELECT count(*) FROM pg_database WHERE datname = '$ACCOUNT'")" = 1 ]
}

create_database() {
    local owner=(runuser -u postgres --)
    [ "$(psql_as_owner -c "SELECT count(*) FROM pg_roles WHERE rolname = '$ACCOUNT'")" = 1 ] ||
        "${owner[@]}" createuser "$ACCOUNT"
    [ "$(psql_as_owner -c "SELECT count(*) FROM pg_database WHERE datname = '$ACCOUNT'")" = 1 ] ||
        "${owner[@]}" createdb --owner "$ACCOUNT" --encoding UTF8 --locale C.UTF-8 --template template0 "$ACCOUNT"
}

redis_runs() { systemctl is-active --quiet redis-server && systemctl is-enabled --quiet redis-server; }

start_redis() { systemctl enable --now redis-server; }

has_database_url() { [ -s "$CREDENTIALS/database_url" ]; }

write_database_url() {
    # PostgreSQL knows the account of the service by its Unix socket: there is no password.
    local url=postgres://$ACCOUNT@//var/run/postgresql/$ACCOUNT
    [ "$DATABASE" = postgresql ] || url=sqlite:///$STATE/ainews.sqlite3
    (umask 077 && echo "$url" >"$CREDENTIALS/database_url")
}

settings_text() {
    cat <<TEXT
# Settings of AI News; docs/reference/settings.md lists them. After a change:
#   sudo /opt/ainews/app/deploy/upgrade.sh --restart
# SECRET_KEY and DATABASE_URL are in $CREDENTIALS.
DATA=$STATE
SITE_URL=https://$HOST
TRUSTED_PROXIES=127.0.0.1,::1
# Prometheus sends it to https://$HOST/metrics.
METRICS_TOKEN=$(openssl rand -hex 20)
TEXT
    if [ "$DATABASE" = postgresql ]; then echo "REDIS_URL=redis://127.0.0.1:6379/0"; fi
}

has_settings() { grep -qx "SITE_URL=https://$HOST" "$SETTINGS"; }

write_settings() {
    if [ -e "$SETTINGS" ]; then # it may have been edited
        sed -i "s#^SITE_URL=.*#SITE_URL=https://$HOST#" "$SETTINGS"
        grep -q '^SITE_URL=' "$SETTINGS" || echo "SITE_URL=https://$HOST" >>"$SETTINGS"
    else
        settings_text >"$SETTINGS"
    fi
    chown "root:$ACCOUNT" "$SETTINGS"
    chmod 0640 "$SETTINGS"
}

# Health checks warn before this certificate expires. They cannot read those of certbot.
names_certificate() {
    if [ "$own_certificate" = yes ]; then
        grep -qx "TLS_CERTIFICATE=$CERTIFICATE" "$SETTINGS"
    else
        if grep -qx "TLS_CERTIFICATE=$TLS/site.crt" "$SETTINGS"; then return 1; fi
    fi
}

name_certificate() {
    sed -i "\\#^TLS_CERTIFICATE=$TLS/site.crt\$#d" "$SETTINGS"
    [ "$own_certificate" = no ] || echo "TLS_CERTIFICATE=$CERTIFICATE" >>"$SETTINGS"
}

choices_text() {
    printf '# What install.sh was called with; upgrade.sh reads it too.\n'
    printf '%s=%q\n' HOST "$HOST" CERTIFICATE "$CERTIFICATE" KEY "$KEY" DATABASE "$DATABASE"
    [ "$MONITORING" = no ] || printf '%s=%q\n' MONITORING yes ALERT_MAIL "$ALERT_MAIL" \
        ALERT_WEBHOOK "$ALERT_WEBHOOK" WATCHDOG "$WATCHDOG"
}

has_choices() { choices_text | cmp -s - "$CHOICES"; }

write_choices() { choices_text >"$CHOICES"; }

has_authority() { [ -s "$TLS/ca.crt" ] && [ -s "$TLS/ca.key" ]; }

create_authority() {
    (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$TLS/ca.key")
    openssl req -x509 -new -key "$TLS/ca.key" -sha256 -days 3650 -out "$TLS/ca.crt" \
        -subj "/CN=AI News on $HOST" -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
        -addext 'keyUsage=critical,keyCertSign,cRLSign'
}

host_is_known() { host_is_address || getent hosts "$HOST" >/dev/null; }

add_host() { printf '127.0.0.1 %s\n' "$HOST" >>/etc/hosts; }

TRUSTED=/usr/local/share/ca-certificates/ainews.crt

authority_is_trusted() { cmp -s "$TLS/ca.crt" "$TRUSTED"; }

trust_authority() {
    install -D -m 0644 "$TLS/ca.crt" "$TRUSTED"
    update-ca-certificates
}

subject_name() {
    if host_is_address; then echo "IP:$HOST"; else echo "DNS:$HOST"; fi
}

has_certificate() {
    [ -s "$KEY" ] && openssl x509 -in "$CERTIFICATE" -noout -checkend $((60 * 86400)) >/dev/null &&
        certificate_is_for_host
}

# Browsers refuse certificates that are valid for longer than 398 days.
create_certificate() {
    (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$KEY.new")
    openssl req -new -key "$KEY.new" -subj "/CN=${HOST:0:64}" |
        openssl x509 -req -sha256 -days 397 -CA "$TLS/ca.crt" -CAkey "$TLS/ca.key" -CAcreateserial \
            -out "$CERTIFICATE.new" -extfile <(
                printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$(subject_name)"
            )
    mv "$KEY.new" "$KEY"
    mv "$CERTIFICATE.new" "$CERTIFICATE"
    if [ -e "$SITE_LINK" ]; then systemctl reload nginx; fi
}

units_are_installed() { units_are_written "$SOURCE"; }

install_units() { write_units "$SOURCE"; }

manage_text() {
    cat <<'TEXT'
#!/bin/bash
# Runs a command of AI News: ainews-manage doctor. Written by install.sh.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "ainews-manage reads the secrets: run it with sudo." >&2; exit 1; }
cd /opt/ainews/app
SECRET_KEY=$(cat /etc/ainews/credentials/secret_key)
DATABASE_URL=$(cat /etc/ainews/credentials/database_url)
AINEWS_MANAGE="sudo ainews-manage" # what messages recommend
export SECRET_KEY DATABASE_URL AINEWS_MANAGE
exec runuser -u ainews -- .venv/bin/python manage.py "$@"
TEXT
}

has_manage() { manage_text | cmp -s - "$MANAGE" && [ -x "$MANAGE" ]; }

write_manage() {
    manage_text >"$MANAGE"
    chmod 0755 "$MANAGE"
}

has_logrotate() { cmp -s "$SOURCE/deploy/logrotate.conf" /etc/logrotate.d/ainews; }

write_logrotate() {
    install -d /etc/logrotate.d
    install -m 0644 "$SOURCE/deploy/logrotate.conf" /etc/logrotate.d/ainews
}

is_migrated() { [ -x "$MANAGE" ] && "$MANAGE" migrate --check >/dev/null; }

migrate() { "$MANAGE" migrate --verbosity 1; }

has_reader() { [ -e "$STATE/.first-reader" ]; }

# Only the first time: later, the operator decides who reads what.
create_reader() {
    "$MANAGE" createsuperuser --noinput --username "$READER" --email "" || true
    if [ "$with_sources" = yes ]; then "$MANAGE" load_catalogue --subscribe "$READER"; fi
    "$MANAGE" signin_link "$READER" >/dev/null # fails if there is no such account
    install -m 0640 -o "$ACCOUNT" -g "$ACCOUNT" /dev/null "$STATE/.first-reader"
}

services_run() {
    local unit
    for unit in ainews-pages.socket ainews-live.socket "${SERVICES[@]}" ainews-backup.timer; do
        systemctl is-enabled --quiet "$unit" && systemctl is-active --quiet "$unit" || return 1
    done
}

start_services() {
    systemctl enable --now ainews-pages.socket ainews-live.socket
    systemctl enable --now "${SERVICES[@]}" ainews-backup.timer
}

has_backup() { compgen -G "$STATE/backups/ainews-*" >/dev/null; }

make_backup() { systemctl start ainews-backup.service; }

any_service_runs() { systemctl is-active --quiet "${SERVICES[@]}" 2>/dev/null; }

restart_services() { systemctl try-restart "${SERVICES[@]}"; }

default_site_is_off() { [ "$(readlink -f /etc/nginx/sites-enabled/default)" != /etc/nginx/sites-available/default ]; }

remove_default_site() { rm -f /etc/nginx/sites-enabled/default; }

site_is_installed() { site_is_written "$SOURCE" && systemctl is-active --quiet nginx; }

install_site() {
    systemctl enable nginx
    write_site "$SOURCE"
}

install_all() {
    ensure "Install the packages $(first_packages | paste -sd ' ')" has_first_packages install_first_packages
    [ "$changes" = 0 ] || lists_are_new=yes
    begin_release
    ensure "Install the packages $(packages | paste -sd ' ')" has_packages install_packages
    ensure "Create the system account $ACCOUNT" has_account create_account
    ensure "Create $CONFIG, $STATE and $LOGS" has_folders create_folders
    ensure "Copy the program and install its requirements, checked by their hashes, in $RELEASES/$RELEASE" \
        release_is_built finish_release
    ensure "Let $APP lead to it" release_is_current point "$APP" "$RELEASES/$RELEASE"
    ensure "Create a secret key in $CREDENTIALS" has_secret_key create_secret_key
    if [ "$DATABASE" = postgresql ]; then
        ensure "Start PostgreSQL" postgresql_runs start_postgresql
        ensure "Create the PostgreSQL role and database $ACCOUNT" has_database create_database
        ensure "Start Redis" redis_runs start_redis
    fi
    ensure "Write the address of the database to $CREDENTIALS" has_database_url write_database_url
    ensure "Write the choices of this installation to $CHOICES" has_choices write_choices
    local changes_before=$changes
    ensure "Write the settings for https://$HOST to $SETTINGS" has_settings write_settings
    ensure "Let the health checks watch the certificate" names_certificate name_certificate
    if [ "$own_certificate" = yes ]; then
        ensure "Create a certificate authority in $TLS" has_authority create_authority
        ensure "Let this server trust the authority" authority_is_trusted trust_authority
        ensure "Create a certificate for $HOST, valid for 397 days" has_certificate create_certificate
    fi
    ensure "Let $HOST lead to this server in its own /etc/hosts" host_is_known add_host
    ensure "Write the command $MANAGE" has_manage write_manage
    ensure "Create the tables" is_migrated migrate
    ensure "Create the account $READER" has_reader create_reader
    ensure "Write the systemd units to $UNITS" units_are_installed install_units
    if [ "$changes" -gt "$changes_before" ] && any_service_runs; then
        ensure "Restart the services, as their settings changed" false restart_services
    fi
    ensure "Start the pages, live updates, worker and nightly backup" services_run start_services
    ensure "Make a first backup in $STATE/backups" has_backup make_backup
    ensure "Write /etc/logrotate.d/ainews" has_logrotate write_logrotate
    ensure "Disable the welcome page of Nginx" default_site_is_off remove_default_site
    ensure "Write the site of Nginx for $HOST to $SITE" site_is_installed install_site
    if [ "$MONITORING" = yes ]; then install_monitoring; fi
}

monitoring_hint() {
    local install="sudo $APP/deploy/install.sh"
    if [ "$MONITORING" = no ]; then
        echo "  - Watch it, with alerts:           $install --monitoring --alert-mail ADDRESS"
    elif [ -z "$WATCHDOG" ]; then
        echo "  - Learn if this server is down:    $install --watchdog URL"
    else
        echo "  - Prometheus:                      ssh -L 9090:127.0.0.1:9090 $HOST"
    fi
}

report_success() {
    if [ "$changes" = 0 ]; then
        say "" "Nothing had to be changed."
    fi
    cat <<TEXT

AI News runs at https://$HOST

Sign in as $READER (the link works once, within 15 minutes):
  $("$MANAGE" signin_link "$READER" || echo "run: sudo ainews-manage signin_link NAME")

Next:
  - Let $HOST lead to this server, in DNS or in /etc/hosts of the readers' devices.
TEXT
    if [ "$own_certificate" = yes ]; then
        cat <<TEXT
  - Browsers warn of the certificate until a device trusts $TLS/ca.crt.
    To renew the certificate within a year: sudo $APP/deploy/install.sh
TEXT
    fi
    cat <<TEXT
  - Set a password:                  sudo ainews-manage changepassword $READER
  - Check the installation:          sudo ainews-manage doctor --production
$(monitoring_hint)
  - Copy $STATE/backups to another machine each night.
  - Settings are in $SETTINGS, logs in: journalctl -u 'ainews-*'
  - To upgrade, run deploy/upgrade.sh of a newer version.
TEXT
}

main() {
    read_arguments "$@"
    need_root deploy/install.sh
    check_distribution
    check_host
    check_reader
    check_certificate
    check_disk
    check_ports
    check_alerts
    [ "$MONITORING" = no ] || check_monitoring_ports
    RELEASE=$(release_name "$SOURCE")
    check_release
    if [ "$dry_run" = yes ]; then
        say "AI News $RELEASE for https://$HOST. This only says what would be done:"
        install_all
        if [ "$changes" = 0 ]; then say "  nothing: all is as it should be"; fi
        return
    fi
    need_systemd
    open_log install.log
    say "Installing AI News $RELEASE for https://$HOST:"
    install_all
    wait_for_answer /health/ready 90 ||
        die "https://$HOST does not answer: see journalctl -u ainews-pages, and /var/log/nginx/error.log."
    report_success
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
