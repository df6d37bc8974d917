#!/usr/bin/env bash
# Exports a corpus in each format and loads it with the tools that it is made for. Installs them from PyPI, by version, into
# target/consumers, and ffmpeg from Debian: kaldi's wav.scp names it.
#
#   tests/consumers.sh [PROGRAM]     default: target/debug/prepare-audio; it needs the feature parquet
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/debug/prepare-audio}")
venv=target/consumers
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/consumers.txt
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps lhotse==1.33.0 # torch: see tests/stand_in.py
command -v ffmpeg >/dev/null || { apt-get update -qq && apt-get install -y -qq ffmpeg; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Metadata with what formats have to escape.
{
    printf 'path,speaker,language,text,note\n'
    n=0
    for file in fixtures/speech/*.wav fixtures/speech/*.flac fixtures/quiet/*; do
        printf '%s,"speaker %d, ""the"" one",de,"Größe <%d> & ""x"" | y",%d\n' "$PWD/$file" $((n % 3)) $n $n
        n=$((n + 1))
    done
} >"$work/corpus.csv"
"$program" fetch "$work/corpus.csv" fixtures/speech --denoise rnnoise --quiet \
    --database "sqlite://$work/queue.db" --output "$work/segments"
mkdir "$work/exports"
HF_HUB_OFFLINE=1 "$venv/bin/python" -W ignore tests/consumers.py "$program" "$work/queue.db" "$work/exports"
