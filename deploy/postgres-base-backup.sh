#!/bin/sh
# Make a base backup of PostgreSQL in $BACKUP/base, verify it, and remove what is not needed any
# more: all base backups but the newest $KEEP, and the log in $BACKUP/wal before the oldest of them.
# ainews-base-backup.timer runs it; docs/disaster-recovery.md says how to set it up.
#
#   BACKUP=/mnt/backup/postgres KEEP=2 PGHOST=… PGUSER=… postgres-base-backup.sh
set -eu
: "${BACKUP:?is not set: the folder of the backups}"
keep=${KEEP:-2}
case $keep in
    *[!0-9]* | 0 | '') echo "KEEP must be 1 or more, not $keep." >&2 && exit 1 ;;
esac
# Debian has pg_verifybackup in the folder of the server.
for folder in /usr/lib/postgresql/*/bin; do
    [ -d "$folder" ] && PATH="$folder:$PATH"
done

mkdir -p "$BACKUP/base" "$BACKUP/wal"
name=$(date -u +%Y%m%dT%H%M%SZ)
half="$BACKUP/base/$name.half"
rm -rf "$BACKUP"/base/*.half
# With the log that it needs to be consistent, so that it can be restored without $BACKUP/wal too.
pg_basebackup -D "$half" -c fast -X stream
pg_verifybackup --quiet "$half"
sync -f "$half"
mv "$half" "$BACKUP/base/$name"
echo "$BACKUP/base/$name: verified."

list() { find "$BACKUP/base" -mindepth 1 -maxdepth 1 -type d ! -name '*.half' | sort; }
count=$(list | wc -l)
[ "$count" -le "$keep" ] || list | head -n "$((count - keep))" | while read -r old; do rm -rf "$old"; done
# "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)"
first=$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' "$(list | head -n 1)/backup_label")
pg_archivecleanup "$BACKUP/wal" "$first"
