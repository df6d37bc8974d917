#!/usr/bin/env bash
# Opens the pages of `inspect` and `report` in Chromium and uses them, in less than a minute. Installs playwright from PyPI, by
# version, into target/browser, and Chromium from Debian.
#
#   tests/browser.sh [PROGRAM] [SCREENSHOTS]     default: target/debug/prepare-audio, target/browser/screenshots
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/debug/prepare-audio}")
screenshots=${2:-target/browser/screenshots}
venv=target/browser/venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/browser.txt
command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$screenshots"
# Copies, because one source is removed to see what the page says.
cp -r fixtures/speech "$work/recordings"
# Sources relative to this folder, so that screenshots show no name of a temporary one.
export AUDIO_FILE_DIR=recordings
(
    cd "$work"
    (cd recordings && find . -type f -printf '%P\n' | sort) >list.txt
    "$program" fetch list.txt --quiet
    "$program" report --sample 3 >/dev/null
)
"$venv/bin/python" tests/browser.py "$program" "$work" "$screenshots"
