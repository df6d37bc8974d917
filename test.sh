#!/usr/bin/env bash
# Runs all tests, those on a throw-away PostgreSQL among them.
# What is missing is installed by its package's name; where that fails, so does this.
set -euo pipefail
cd "$(dirname "$0")"

have_postgres() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
        { command -v pg_config >/dev/null && [ -x "$(pg_config --bindir)/initdb" ]; }
}

install() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    if command -v apt-get >/dev/null; then
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"
    elif command -v dnf >/dev/null; then
        "${as_root[@]}" dnf install -y "$2"
    elif command -v brew >/dev/null; then
        brew install "$3"
    else
        echo "test.sh: please install $1" >&2
        return 1
    fi
}

have_postgres || install postgresql postgresql-server postgresql
have_postgres || { echo "test.sh: PostgreSQL's initdb is still not found" >&2; exit 1; }

# With this set, a test that finds no PostgreSQL fails instead of telling what it leaves out.
export PREPARE_AUDIO_REQUIRE_POSTGRES=1
exec cargo test --locked "$@"
