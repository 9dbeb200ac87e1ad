#!/bin/sh
# Writes the secrets of compose.yml into deploy/secrets, unless they exist. An argument names
# another folder.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
# The containers read the files as their own users; the folder keeps others out.
chmod 700 "$folder"

random() {
    head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n'
}

# Write the standard input into a new file, or leave the one that exists.
write() {
    if [ -e "$folder/$1" ]; then
        echo "$folder/$1 exists; it is kept."
        cat >/dev/null
    else
        cat >"$folder/$1.new"
        chmod 444 "$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
    fi
}

random | write secret_key
random | write postgres_password
random | write redis_password
printf 'postgres://ainews:%s@postgres/ainews' "$(cat "$folder/postgres_password")" | write database_url
printf 'redis://:%s@redis:6379/0' "$(cat "$folder/redis_password")" | write redis_url
