#!/bin/sh
# Prepare an empty data directory of PostgreSQL from $BACKUP: the newest base backup, and the log
# since then. PostgreSQL replays the log when it is started. Run it as the user of PostgreSQL.
#
#   BACKUP=/mnt/backup/postgres postgres-restore.sh /var/lib/postgresql/15/main
#   … postgres-restore.sh /var/lib/postgresql/15/main '2026-03-01 12:30:00+00'    as it was then
#
# A gap in the log is refused, unless IGNORE_GAP=yes.
set -eu
: "${BACKUP:?is not set: the folder of the backups}"
data=${1:?"the data directory to restore is missing"}
moment=${2:-}
for folder in /usr/lib/postgresql/*/bin; do
    [ -d "$folder" ] && PATH="$folder:$PATH"
done
if [ -d "$data" ] && [ -n "$(ls -A "$data")" ]; then
    echo "$data is not empty. Stop PostgreSQL and move the folder away first." >&2
    exit 1
fi

base=""
for folder in "$BACKUP"/base/*Z; do
    [ -f "$folder/backup_label" ] || continue
    # A name is the moment at which its backup began; one that began later is of no use.
    if [ -n "$moment" ]; then
        began=$(basename "$folder" | sed 's/\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z/\1-\2-\3 \4:\5:\6+00/')
        [ "$(date -u -d "$began" +%s)" -lt "$(date -u -d "$moment" +%s)" ] || continue
    fi
    base=$folder
done
if [ -z "$base" ]; then
    echo "$BACKUP/base has no base backup${moment:+ from before $moment}." >&2
    exit 1
fi

pg_verifybackup --quiet "$base"

# The number of each segment of the log, whatever its timeline, from the base backup on.
size=$(find "$base/pg_wal" -maxdepth 1 -type f -size +512k -printf '%s\n' | head -n 1)
in_a_log=$((4294967296 / ${size:-16777216}))
segments() {
    for file in "$base"/pg_wal/* "$BACKUP"/wal/*; do
        name=${file##*/}
        name=${name%.partial}
        case $name in *[!0-9A-F]*) continue ;; esac
        [ ${#name} = 24 ] || continue
        name=${name#????????}
        echo $((0x${name%????????} * in_a_log + 0x${name#????????}))
    done | sort -n -u
}
label=$(sed -n 's/^START WAL LOCATION: .* (file ........\([0-9A-F]*\))$/\1/p' "$base/backup_label")
next=$((0x${label%????????} * in_a_log + 0x${label#????????}))
gap=""
for number in $(segments); do
    [ "$number" -ge "$next" ] || continue
    if [ "$number" != "$next" ]; then
        gap=$(printf '%08X%08X' $((next / in_a_log)) $((next % in_a_log)))
        break
    fi
    next=$((next + 1))
done
# PostgreSQL takes a missing segment for the end of the log. It refuses by itself to end before a
# moment that was asked for.
if [ -n "$gap" ] && [ -z "$moment" ] && [ "${IGNORE_GAP:-}" != yes ]; then
    echo "The log in $BACKUP/wal has a gap: the segment that ends in $gap is missing, so what was" \
        "written after it would be lost. Find the file, or set IGNORE_GAP=yes to restore up to it." >&2
    exit 1
fi

mkdir -p "$data"
chmod 700 "$data"
cp -a --reflink=auto "$base/." "$data/"
# The newest segment of each timeline is incomplete and has another name until it is full. It must
# not be found by restore_command, because a standby made of this server later would prefer it to
# what it has received itself.
for partial in "$BACKUP"/wal/*.partial; do
    [ -f "$partial" ] || continue
    cp -pu "$partial" "$data/pg_wal/$(basename "$partial" .partial)"
done
# PostgreSQL removes these lines at the end of the recovery: the moment is of this restore alone.
cat >>"$data/postgresql.auto.conf" <<CONF
# restore begins
restore_command = 'cp "$BACKUP/wal/%f" "%p"'
recovery_end_command = 'sed -i "/^# restore begins/,/^# restore ends/d" postgresql.auto.conf'
recovery_target_time = '$moment'
recovery_target_action = 'promote'
recovery_target_timeline = 'latest'
# restore ends
CONF
touch "$data/recovery.signal"
echo "$data: restored from $base. Start PostgreSQL, which replays the log${moment:+ up to $moment}."
