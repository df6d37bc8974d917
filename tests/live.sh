#!/usr/bin/env bash
# Sends audio to `listen` with a client that is not ours: Python's websockets, installed from PyPI, by version, into target/live.
# Takes half a minute.
#
#   tests/live.sh [PROGRAM]     default: target/debug/prepare-audio
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/debug/prepare-audio}")
venv=target/live/venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/live.txt
command -v openssl >/dev/null || { apt-get update -qq && apt-get install -y -qq openssl; }
"$venv/bin/python" tests/live.py "$program"
