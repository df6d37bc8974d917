#!/usr/bin/env bash
# Runs all tests, those on a throw-away PostgreSQL and with ONNX Runtime among them.
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

# ONNX Runtime's library and the official package's model come from PyPI, into target/.
fetch_onnx() {
    local packages=target/python
    if ! ls "$packages"/onnxruntime/capi/libonnxruntime.* "$packages"/silero_vad/data/silero_vad.onnx >/dev/null 2>&1; then
        python3 -m pip --version >/dev/null 2>&1 || install python3-pip python3-pip python
        python3 -m pip install --quiet --no-deps --target "$packages" --upgrade onnxruntime==1.31.1 silero-vad==6.2.3
    fi
    ORT_DYLIB_PATH=$(ls "$PWD/$packages"/onnxruntime/capi/libonnxruntime.* | head -n 1)
    PREPARE_AUDIO_SILERO_ONNX=$PWD/$packages/silero_vad/data/silero_vad.onnx
    export ORT_DYLIB_PATH PREPARE_AUDIO_SILERO_ONNX
}

[ -n "${ORT_DYLIB_PATH:-}" ] && [ -n "${PREPARE_AUDIO_SILERO_ONNX:-}" ] || fetch_onnx

# Clocks that are an hour ahead, and several machines in one.
if [ "$(uname)" = Linux ]; then
    find /usr/lib /usr/lib64 -maxdepth 3 -name libfaketimeMT.so.1 2>/dev/null | grep -q . || install faketime libfaketime libfaketime
    command -v ip >/dev/null || [ -x /usr/sbin/ip ] || install iproute2 iproute iproute2mac
    export PREPARE_AUDIO_REQUIRE_FAKETIME=1 PREPARE_AUDIO_REQUIRE_IPROUTE2=1
fi

# With these set, a test that finds no PostgreSQL or no ONNX Runtime fails instead of telling what it leaves out.
export PREPARE_AUDIO_REQUIRE_POSTGRES=1 PREPARE_AUDIO_REQUIRE_ONNX=1
[ $# = 0 ] || exec cargo test --locked "$@"
cargo test --locked

# Processes that are killed, stopped and started again: tests/faults.rs, which has a longer form too.
exec cargo test --locked --features fault-injection --test faults
