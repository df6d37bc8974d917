#!/usr/bin/env python3
"""Time and memory of `prepare-audio export` and `report` for a database of many segments.

    python3 benches/export.py target/release/prepare-audio [SEGMENTS]     default: 1,000,000

The rows are made by SQL: recordings of 20 segments each, with metadata, without audio files; so formats that contain audio are
left out. `parquet` needs a program with that feature. Prints a Markdown table: seconds, rows per second, and peak memory of the whole process.
"""

import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

PER_RECORDING = 20
# Name and arguments; {} is the folder for what is written.
COMMANDS = [
    ("lhotse", "export lhotse --audio sources --no-check --to {}/lhotse"),
    ("nemo", "export nemo --audio sources --no-check --to {}/nemo.jsonl"),
    ("kaldi", "export kaldi --no-check --to {}/kaldi"),
    ("csv", "export csv --no-check --to {}/all.csv"),
    ("jsonl", "export jsonl --no-check --to {}/all.jsonl"),
    ("rttm", "export rttm --no-check --to {}/all.rttm"),
    ("parquet", "export parquet --no-check --to {}/all.parquet"),
    ("report", "report --output {}/report.html"),
]


def fill(database, segments):
    """Inserts the rows into a database whose tables exist."""
    connection = sqlite3.connect(database)
    recordings = segments // PER_RECORDING
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
           INSERT INTO recording (id, source, recipe, state, model, parameters, container, codec, sample_rate, channels, bytes,
                                  samples, duration_s, speech_s, segments, finished_at, metadata)
           SELECT i, printf('/corpus/%04d/recording-%08d.flac', i / 1000, i), 'recipe', 'done', 'silero', '{}', 'flac', 'flac',
                  16000, 1, 4000000, 1920000, 120.0, 80.0, ?, 1000 + i,
                  json_object('speaker', printf('speaker-%05d', i % 5000), 'language', 'de', 'licence', 'CC0') FROM n""",
        (recordings, PER_RECORDING),
    )
    connection.execute(
        """WITH RECURSIVE k(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM k WHERE j < ? - 1)
           INSERT INTO segment (recording_id, idx, start_sample, end_sample, start_s, end_s, path, sha256, mean_probability,
                                min_probability, token, cut, level_dbfs)
           SELECT r.id, j, j * 96000, j * 96000 + 64000, j * 6.0, j * 6.0 + 4.0, '', '', 0.9, 0.6, 1, 'silence', -23.5
           FROM recording r, k""",
        (PER_RECORDING,),
    )
    connection.commit()


def main():
    program, segments = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        database = folder / "queue.db"
        subprocess.run([program, "add", "--database", f"sqlite://{database}", "-"], input=b"", check=False, capture_output=True)
        fill(database, segments)
        print("| command | seconds | rows per second | peak memory, MB |\n| --- | --- | --- | --- |")
        for name, arguments in COMMANDS:
            command = ["/usr/bin/time", "-f", "%M", program, *arguments.format(folder).split(), "--quiet"]
            command += ["--database", f"sqlite://{database}"]
            start = time.monotonic()
            result = subprocess.run(command, capture_output=True, text=True)
            seconds = time.monotonic() - start
            assert result.returncode == 0, result.stderr
            memory = int(result.stderr.split()[-1]) / 1024
            print(f"| {name} | {seconds:.1f} | {segments / seconds:,.0f} | {memory:.0f} |", flush=True)


main()
