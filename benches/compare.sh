#!/usr/bin/env bash
# prepare-audio beside the pipeline that a user would write today, on the same folder: see compare.py.
# Needs Python 3.9 with venv, ffmpeg and a Rust toolchain; all it makes is under target/compare/.
exec python3 "$(dirname "$0")/compare.py" "$@"
