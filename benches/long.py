#!/usr/bin/env python3
"""Measures the memory that one very long recording takes, and the speed-up by several cores.

  cargo build --release
  benches/long.py target/release/prepare-audio [--hours 10] [--repetitions 3] [--formats mp3 flac] [--work DIR]

Speech (of ../shared/audio if that exists, otherwise of fixtures/speech) is repeated for this many hours, 44.1 kHz stereo, as
MP3 (128 kbit/s) and FLAC. Each file is prepared alternately on all cores and on one (`taskset`), with a new database and
folder in DIR (default: target/long; use a folder in memory to exclude the disk). The table has the shortest time of each,
because other programs may use the machine. "busy" is the average number of cores in use. Needs ffmpeg and taskset.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import compare  # noqa: E402  (it makes the speech)

REPO = Path(__file__).resolve().parent.parent
CODECS = {"mp3": ["-c:a", "libmp3lame", "-b:a", "128k"], "flac": ["-c:a", "flac"], "wav": ["-c:a", "pcm_s16le"]}


def make(path, hours):
    """Makes the recording, unless it exists."""
    if path.exists():
        return
    print(f"making {path} (once)", file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name("unfinished-" + path.name)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        once = Path(folder) / "once.wav"
        raw = ["-f", "s16le", "-ar", str(compare.RATE), "-ac", str(compare.CHANNELS), "-i", "-"]
        subprocess.run([*compare.FFMPEG, *raw, once], input=compare.speech(), check=True)
        looped = ["-stream_loop", "-1", "-i", once, "-t", str(hours * 3600)]
        subprocess.run([*compare.FFMPEG, *looped, *CODECS[path.suffix[1:]], unfinished], check=True)
    unfinished.rename(path)


def run(program, path, prefix, work):
    """Wall and CPU seconds, and peak memory in MB."""
    folder = Path(tempfile.mkdtemp(dir=work))
    command = [*prefix, program, "fetch", path, "--database", f"sqlite://{folder / 'queue.db'}", "--output", folder / "out", "--quiet"]
    try:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"long: exit code {process.returncode} of {' '.join(map(str, command))}")
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=CODECS, default=["mp3", "flac"])
    parser.add_argument("--work", type=Path, default=REPO / "target" / "long")
    args = parser.parse_args()
    compare.need_ffmpeg()
    args.work.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0))
    print(f"{args.hours:g} hours, {cores} cores, the shortest of {args.repetitions} runs each.\n")
    head = ["", "all cores, s", "one core, s", "ratio", "CPU s", "one core's", "busy", "peak MB", "one core's"]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for kind in args.formats:
        path = REPO / "target" / "long" / f"{args.hours:g}h.{kind}"
        make(path, args.hours)
        one_core = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
        turns = [[run(args.program, path, prefix, args.work) for prefix in ([], one_core)] for _ in range(args.repetitions)]
        free, pinned = zip(*turns)
        wall, cpu, peak = (min(r[0] for r in free), min(r[1] for r in free), max(r[2] for r in free))
        alone, alone_cpu, alone_peak = (min(r[0] for r in pinned), min(r[1] for r in pinned), max(r[2] for r in pinned))
        busy = max(r[1] / r[0] for r in free)
        cells = [kind, f"{wall:.2f}", f"{alone:.2f}", f"{alone / wall:.2f}", f"{cpu:.2f}", f"{alone_cpu:.2f}", f"{busy:.2f}",
                 f"{peak:.0f}", f"{alone_peak:.0f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
