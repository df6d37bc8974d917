#!/usr/bin/env bash
# Compares prepare-audio with a typical Python pipeline on the same folder; see compare.py.
# Needs Python 3.9 with venv, ffmpeg and a Rust toolchain. It writes only below target/compare/.
exec python3 "$(dirname "$0")/compare.py" "$@"
