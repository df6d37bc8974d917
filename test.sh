#!/usr/bin/env bash
# Runs all tests, including those on PostgreSQL and with ONNX Runtime. It installs missing packages by name, and fails if
# that fails. Arguments select tests: `./test.sh program::doctor`.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n--- %s: %s\n' "$(date +%T)" "$*"; }

find_initdb() {
    local candidate
    for candidate in "$(command -v initdb || true)" /usr/lib/postgresql/*/bin/initdb \
        "$(command -v pg_config >/dev/null && pg_config --bindir || true)/initdb"; do
        [ -x "$candidate" ] && [ -x "$(dirname "$candidate")/postgres" ] && { dirname "$candidate"; return; }
    done
    return 1
}

# Installs a package. The arguments are its names for apt, dnf and brew.
install() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    say "installing $1"
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

# Downloads ONNX Runtime's library, and the models of the official package and of speechmos from PyPI into target/.
fetch_onnx() {
    local packages=target/python
    if ! ls "$packages"/onnxruntime/capi/libonnxruntime.* "$packages"/silero_vad/data/silero_vad.onnx \
        "$packages"/speechmos/dnsmos_models/sig_bak_ovr.onnx >/dev/null 2>&1; then
        python3 -m pip --version >/dev/null 2>&1 || install python3-pip python3-pip python
        say "fetching ONNX Runtime and models from PyPI into $packages"
        python3 -m pip install --quiet --no-deps --target "$packages" --upgrade onnxruntime==1.31.1 silero-vad==6.2.3 \
            speechmos==0.0.1.1
    fi
    ORT_DYLIB_PATH=$(ls "$PWD/$packages"/onnxruntime/capi/libonnxruntime.* | head -n 1)
    PREPARE_AUDIO_SILERO_ONNX=$PWD/$packages/silero_vad/data/silero_vad.onnx
    PREPARE_AUDIO_DNSMOS_ONNX=$PWD/$packages/speechmos/dnsmos_models/sig_bak_ovr.onnx
    export ORT_DYLIB_PATH PREPARE_AUDIO_SILERO_ONNX PREPARE_AUDIO_DNSMOS_ONNX
}

# Starts one server for the whole run. It stops when this script ends, because the script keeps its standard input open.
start_postgres() {
    local sockets data as_other=()
    sockets=$(mktemp -d /tmp/pa-pg-XXXXXX)
    data=$(mktemp -d /tmp/pa-pg-XXXXXX)
    if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root.
        local user
        user=$(id -un postgres 2>/dev/null || echo nobody)
        chown "$user" "$sockets" "$data"
        as_other=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
    fi
    exec {postgres_input}> >(cd "$sockets" && exec "${as_other[@]}" sh -c "$1" sh "$2" "$sockets" "$data" \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off >/dev/null 2>&1)
    local waited=0
    until [ -S "$sockets/.s.PGSQL.5432" ] && grep -q 'ready to accept' "$sockets/log"; do
        sleep 0.1
        waited=$((waited + 1))
        [ $waited -lt 600 ] || { cat "$sockets/log" >&2; exit 1; }
    done
    export PREPARE_AUDIO_TEST_POSTGRES=$sockets
}

say "preparing: PostgreSQL, PgBouncer, ONNX Runtime, faketime, iproute2"
find_initdb >/dev/null || install postgresql postgresql-server postgresql
binaries=$(find_initdb) || { echo "test.sh: PostgreSQL's initdb is still not found" >&2; exit 1; }
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || install pgbouncer pgbouncer pgbouncer
[ -n "${ORT_DYLIB_PATH:-}" ] && [ -n "${PREPARE_AUDIO_SILERO_ONNX:-}" ] && [ -n "${PREPARE_AUDIO_DNSMOS_ONNX:-}" ] || fetch_onnx
if [ "$(uname)" = Linux ]; then
    find /usr/lib /usr/lib64 -maxdepth 3 -name libfaketimeMT.so.1 2>/dev/null | grep -q . || install faketime libfaketime libfaketime
    command -v ip >/dev/null || [ -x /usr/sbin/ip ] || install iproute2 iproute iproute2mac
    export PREPARE_AUDIO_REQUIRE_FAKETIME=1 PREPARE_AUDIO_REQUIRE_IPROUTE2=1
fi
# With these set, a test without PostgreSQL, PgBouncer or ONNX Runtime fails instead of being skipped.
export PREPARE_AUDIO_REQUIRE_POSTGRES=1 PREPARE_AUDIO_REQUIRE_PGBOUNCER=1 PREPARE_AUDIO_REQUIRE_ONNX=1

# The program is built once, with the faults that tests inject by environment variables.
options=(--locked --workspace --features full,fault-injection)
say "compiling the program and its tests (on two cores about 5 minutes the first time)"
cargo test --quiet "${options[@]}" --no-run
start_postgres "$(cat tests/all/support/postgres.sh)" "$binaries"
if cargo nextest --version >/dev/null 2>&1; then
    say "running the tests with cargo-nextest (on two cores about 5 minutes)"
    cargo nextest run "${options[@]}" "$@"
    [ $# = 0 ] || exit 0
    say "running the examples in the documentation"
    cargo test --quiet "${options[@]}" --doc
else
    say "running the tests with cargo test (on two cores about 8 minutes; cargo-nextest is faster)"
    cargo test "${options[@]}" "$@"
fi
say "done in $((SECONDS / 60)) min $((SECONDS % 60)) s"
