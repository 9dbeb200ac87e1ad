# shellcheck shell=bash
# What install.sh --monitoring does: Prometheus and Alertmanager of Debian, on loopback only.
# shellcheck disable=SC2034,SC2154  # install.sh uses the variables, and has some of its own

MONITORED=/etc/prometheus/ainews # Debian's own files beside it stay as they are
METRICS_PORT=9090
ALERTS_PORT=9093
monitoring_packages() { printf '%s\n' prometheus prometheus-alertmanager; }

check_alerts() {
    [ "$MONITORING" = yes ] || {
        [ -z "$ALERT_MAIL$ALERT_WEBHOOK$WATCHDOG" ] ||
            die "--alert-mail, --alert-webhook and --watchdog belong to --monitoring: add it."
        return 0
    }
    [ -n "$ALERT_MAIL$ALERT_WEBHOOK" ] ||
        die "--monitoring needs a receiver of alerts: add --alert-mail ADDRESS or --alert-webhook URL."
    [ -z "$ALERT_MAIL" ] || [[ "$ALERT_MAIL" =~ ^[^@[:space:]\"\\,]+@[^@[:space:]\"\\,]+$ ]] ||
        die "'$ALERT_MAIL' is not an e-mail address: correct --alert-mail."
    local url
    for url in "$ALERT_WEBHOOK" "$WATCHDOG"; do
        [ -z "$url" ] || [[ "$url" =~ ^https?://[^[:space:]\"\\]+$ ]] ||
            die "'$url' is not an address that begins with https:// or http://: correct it."
    done
    [ -z "$ALERT_MAIL" ] || mail_server >/dev/null || [ -n "$(holder 25)" ] ||
        die "--alert-mail needs a mail server: set EMAIL_URL in $SETTINGS, or install one on this machine."
}

check_monitoring_ports() {
    local pair by
    for pair in "$METRICS_PORT prometheus" "$ALERTS_PORT prometheus-aler"; do
        by=$(holder "${pair% *}")
        [ -z "$by" ] || [[ "$by" == "${pair#* }"* ]] ||
            die "Port ${pair% *} is taken by $by, and monitoring needs it: stop or move $by."
    done
}

setting() { sed -n "s/^$1=//p" "$SETTINGS" 2>/dev/null | tail -n 1 | sed -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'\$/\1/"; }

mail_server() { [[ "$(setting EMAIL_URL)" =~ ^smtp ]]; }

metrics_token_is_set() { [ -n "$(setting METRICS_TOKEN)" ]; }

# Installations of earlier versions have none.
set_metrics_token() {
    sed -i '/^METRICS_TOKEN=/d' "$SETTINGS"
    echo "METRICS_TOKEN=$(openssl rand -hex 20)" >>"$SETTINGS"
    restart_services
}

# Drop-ins, so that Debian's files are not changed. They exist before the packages are installed:
# neither program ever listens to the network.
arguments_of() {
    case "$1" in
        prometheus)
            echo "--config.file=$MONITORED/prometheus.yml --web.listen-address=127.0.0.1:$METRICS_PORT" \
                "--storage.tsdb.retention.time=30d --storage.tsdb.retention.size=1GB"
            ;;
        prometheus-alertmanager)
            echo "--config.file=$MONITORED/alertmanager.yml --web.listen-address=127.0.0.1:$ALERTS_PORT" \
                "--cluster.listen-address="
            ;;
    esac
}

drop_in() { echo "$UNITS/$1.service.d/ainews.conf"; }

drop_in_text() {
    cat <<TEXT
# Written by install.sh --monitoring.
[Service]
EnvironmentFile=
Environment="ARGS=$(arguments_of "$1")"
MemoryMax=25%
TEXT
}

has_drop_ins() {
    local unit
    for unit in $(monitoring_packages); do
        drop_in_text "$unit" | cmp -s - "$(drop_in "$unit")" || return 1
    done
}

write_drop_ins() {
    local unit
    for unit in $(monitoring_packages); do
        install -d "$UNITS/$unit.service.d"
        drop_in_text "$unit" >"$(drop_in "$unit")"
    done
    systemctl daemon-reload
    # shellcheck disable=SC2046  # one word for each unit
    systemctl try-restart $(monitoring_packages) 2>/dev/null || true
}

# Rules are read from the release that serves, so that an upgrade brings its own. The site is asked as
# readers ask it, by Nginx and over TLS: what breaks there is an outage too.
prometheus_text() {
    sed -e '1s/.*/# Prometheus for AI News. install.sh --monitoring writes this file again; put more machines into\n# another file of targets\//' \
        -e "s#- rules/#- $APP/deploy/monitoring/rules/#" \
        -e "s#^\( *\)metrics_path:.*#&\n\1scheme: https#" \
        -e "s#127\.0\.0\.1:9090#127.0.0.1:$METRICS_PORT#" \
        -e "s#127\.0\.0\.1:9093#127.0.0.1:$ALERTS_PORT#" "$1/deploy/monitoring/prometheus.yml"
}

targets_text() {
    cat <<TEXT
# Written by install.sh --monitoring. Name other machines in another file here.
- targets: ["$HOST:443"]
  labels:
    role: web
TEXT
}

# The routes of deploy/monitoring with the receivers of the operator.
alertmanager_text() {
    echo "# Alertmanager for AI News. install.sh --monitoring writes this file again."
    sed -e '1,2d' -e '/^receivers:/,$d' "$1/deploy/monitoring/alertmanager.yml"
    ALERT_MAIL=$ALERT_MAIL ALERT_WEBHOOK=$ALERT_WEBHOOK WATCHDOG=$WATCHDOG HOST=$HOST \
        EMAIL_URL=$(setting EMAIL_URL) EMAIL_FROM=$(setting EMAIL_FROM) \
        python3 "$1/deploy/monitoring/receivers.py"
}

token_is_given() {
    setting METRICS_TOKEN | tr -d '\n' | cmp -s - "$MONITORED/ainews-token" &&
        [ "$(stat -c %U:%a "$MONITORED/ainews-token")" = prometheus:400 ]
}

give_token() {
    (umask 077 && setting METRICS_TOKEN | tr -d '\n' >"$MONITORED/ainews-token.new")
    chown prometheus:prometheus "$MONITORED/ainews-token.new"
    chmod 0400 "$MONITORED/ainews-token.new"
    mv "$MONITORED/ainews-token.new" "$MONITORED/ainews-token"
}

prometheus_is_configured() {
    prometheus_text "$SOURCE" | cmp -s - "$MONITORED/prometheus.yml" &&
        targets_text | cmp -s - "$MONITORED/targets/ainews.yml"
}

configure_prometheus() {
    install -d -m 0755 "$MONITORED" "$MONITORED/targets"
    prometheus_text "$SOURCE" >"$MONITORED/prometheus.yml"
    targets_text >"$MONITORED/targets/ainews.yml"
    promtool check config --syntax-only "$MONITORED/prometheus.yml"
}

alertmanager_is_configured() {
    alertmanager_text "$SOURCE" | cmp -s - "$MONITORED/alertmanager.yml" &&
        [ "$(stat -c %G:%a "$MONITORED/alertmanager.yml")" = prometheus:640 ]
}

# It may contain the password of the mail server.
configure_alertmanager() {
    (umask 077 && alertmanager_text "$SOURCE" >"$MONITORED/alertmanager.new")
    chgrp prometheus "$MONITORED/alertmanager.new"
    chmod 0640 "$MONITORED/alertmanager.new"
    amtool check-config "$MONITORED/alertmanager.new"
    mv "$MONITORED/alertmanager.new" "$MONITORED/alertmanager.yml"
}

monitoring_runs() {
    local unit
    for unit in $(monitoring_packages); do
        systemctl is-enabled --quiet "$unit" && systemctl is-active --quiet "$unit" || return 1
    done
}

# shellcheck disable=SC2046  # one word for each unit
start_monitoring() { systemctl enable --now $(monitoring_packages); }

# shellcheck disable=SC2046
restart_monitoring() { systemctl restart $(monitoring_packages); }

# query EXPRESSION: print what Prometheus answers.
query() {
    curl --silent --fail --max-time 10 --noproxy '*' --get --data-urlencode "query=$1" \
        "http://127.0.0.1:$METRICS_PORT/api/v1/query"
}

# Of this machine alone: others may be down while this one is installed.
site_is_scraped() { query "up{job=\"ainews\",instance=\"$HOST:443\"} == 1" | grep -q '"value"'; }

wait_for_scrape() {
    local until=$((SECONDS + 60))
    until site_is_scraped; do
        if [ "$SECONDS" -ge "$until" ]; then
            query 'up{job="ainews"}' || true
            journalctl --no-pager --lines 10 --output cat --unit prometheus --unit prometheus-alertmanager
            return 1
        fi
        sleep 1
    done
}

install_monitoring() {
    ensure "Let Prometheus and Alertmanager listen on loopback only" has_drop_ins write_drop_ins
    ensure "Install the packages $(monitoring_packages | paste -sd ' ')" \
        has_monitoring_packages install_monitoring_packages
    ensure "Write a token for the metrics to $SETTINGS" metrics_token_is_set set_metrics_token
    local changes_before=$changes
    ensure "Write what Prometheus watches to $MONITORED" prometheus_is_configured configure_prometheus
    ensure "Write the token to a file that Prometheus alone reads" token_is_given give_token
    ensure "Write who is alerted to $MONITORED/alertmanager.yml" alertmanager_is_configured configure_alertmanager
    ensure "Start Prometheus and Alertmanager" monitoring_runs start_monitoring
    if [ "$changes" -gt "$changes_before" ]; then
        ensure "Let both read their files" false restart_monitoring
    fi
    ensure "Wait until Prometheus has read the metrics" site_is_scraped wait_for_scrape
}
