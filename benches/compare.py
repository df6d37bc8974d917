#!/usr/bin/env python3
"""Compares prepare-audio with a typical Python pipeline (PyAV, silero-vad, ONNX Runtime) on the same folder.

  benches/compare.sh [--repetitions 3] [--workers 1 2] [--minutes 32] [--save table.md]

Half of the folder is MP3 and half FLAC, both 44.1 kHz stereo. It is made once, from the real speech in ../shared/audio if
that exists, otherwise from fixtures/speech. Each file starts at another position of the speech. Both programs decode, mix,
resample, detect speech, and write a WAV file and an SQLite row for each segment. They run alternately, in rotating order.

  PEER=path            the Python pipeline (default: ../shared/bench/peer.py beside the checkout)
  PREPARE_AUDIO=path   the program (default: `cargo build --release` and its result)
  COMPARE_VENV=path    a Python environment with the peer's packages (default: made in target/compare/venv, some GB)
  COMPARE_AUDIO=path   a folder with your own recordings instead of the generated one

The Python pipeline loads its models before it starts its own timer, and starting takes a large part of its process's time.
Both of its times are shown. The ratio uses its own, shorter time, while prepare-audio is timed as a whole process, from
start to exit.
"""
import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
WORK = REPO / "target" / "compare"
PACKAGES = ["silero-vad==6.2.3", "onnxruntime", "av", "soundfile", "numpy"]
RATE, CHANNELS = 44100, 2
FILE_SECONDS = 120
FFMPEG = ["ffmpeg", "-nostdin", "-v", "error", "-y"]


def stop(text):
    sys.exit(f"compare: {text}")


def need_ffmpeg():
    if not shutil.which("ffmpeg"):
        stop("ffmpeg is missing. Debian, Ubuntu: apt-get install ffmpeg;  Fedora: dnf install ffmpeg;  macOS: brew install ffmpeg")


def the_peer():
    peer = Path(os.environ.get("PEER", REPO.parent / "shared/bench/peer.py"))
    if not peer.is_file():
        stop(f"there is no {peer}; set PEER=path/to/peer.py")
    return peer.resolve()


def the_python():
    venv = os.environ.get("COMPARE_VENV")
    python = Path(venv or WORK / "venv") / "bin" / "python"
    if venv or python.exists():
        if not python.exists():
            stop(f"there is no {python}")
        return python
    print(f"making a Python environment in {python.parent.parent} (once, some GB)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
    try:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    except BaseException:
        shutil.rmtree(python.parent.parent, ignore_errors=True)  # the next run would use an incomplete one
        raise
    return python


def the_program():
    given = os.environ.get("PREPARE_AUDIO")
    if given:
        program = Path(given)
    else:
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=REPO, check=True)
        program = Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target")) / "release" / "prepare-audio"
    if not program.is_file():
        stop(f"there is no {program}")
    return program.resolve()


def speech():
    """The samples of the speech: 44.1 kHz stereo, int16, as bytes."""
    real = [REPO.parent / "shared/audio" / name for name in ("silero_test_60s.wav", "jfk_44k_stereo.flac")]
    made = [REPO / "fixtures/speech" / name for name in ("pauses.wav", "mp3_44k1_stereo.mp3", "a/same.wav", "b/same.wav", "vorbis_44k1_stereo.ogg")]
    files = real if all(p.exists() for p in real) else made
    decoded = [subprocess.run([*FFMPEG, "-i", p, "-vn", "-ac", str(CHANNELS), "-ar", str(RATE), "-f", "s16le", "-"], check=True,
                              capture_output=True).stdout for p in files]
    return b"".join(decoded)


def make_folder(minutes):
    if os.environ.get("COMPARE_AUDIO"):
        return Path(os.environ["COMPARE_AUDIO"]).resolve()
    folder = WORK / f"audio-{minutes}min"
    if folder.exists():
        return folder
    need_ffmpeg()
    print(f"making {minutes} minutes of recordings in {folder} (once)", file=sys.stderr)
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    pcm, frame = speech(), 2 * CHANNELS
    count = max(2, 2 * round(minutes * 60 / FILE_SECONDS / 2))
    size = round(minutes * 60 / count * RATE) * frame
    for i in range(count):
        offset = len(pcm) // frame * i // count * frame
        once = pcm[offset:] + pcm[:offset]
        sound = (once * (size // len(once) + 1))[:size]
        name, options = (f"{i:02}.mp3", ["-c:a", "libmp3lame", "-b:a", "128k"]) if i % 2 == 0 else (f"{i:02}.flac", ["-c:a", "flac"])
        subprocess.run([*FFMPEG, "-f", "s16le", "-ar", str(RATE), "-ac", str(CHANNELS), "-i", "-", *options, unfinished / name], input=sound, check=True)
    unfinished.rename(folder)
    return folder


def timed(command, log):
    """Wall and CPU seconds of a process with its children, and its standard output."""
    with open(log, "wb") as err, tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    if process.returncode:
        last = Path(log).read_text(errors="replace").strip().splitlines()[-5:]
        stop(f"exit code {process.returncode} of {' '.join(map(str, command))}\n" + "\n".join(last))
    return wall, usage.ru_utime + usage.ru_stime, text


def run_peer(kind, python, peer, folder, workers, tmp):
    wall, cpu, text = timed([python, peer, folder, tmp / "out", "--workers", workers, "--vad", kind], tmp / "log")
    report = json.loads(text.strip().splitlines()[-1])
    if report["failed"]:
        stop(f"{report['failed']} recordings failed in peer {kind}")
    return {"wall": wall, "own": report["wall_s"], "cpu": cpu, "segments": report["segments"], "files": report["files"],
            "audio": report["audio_s"]}


def run_program(program, folder, workers, tmp):
    database = tmp / "queue.db"
    wall, cpu, _ = timed([program, "fetch", folder, "--workers", workers, "--database", f"sqlite://{database}", "--output", tmp / "out",
                          "--quiet"], tmp / "log")
    with sqlite3.connect(database) as db:
        states = dict(db.execute("SELECT state, count(*) FROM recording GROUP BY state"))
        rows = db.execute("SELECT count(*) FROM segment").fetchone()[0]
    db.close()
    files = sum(1 for p in (tmp / "out").rglob("*.wav") if p.is_file())
    if set(states) != {"done"} or files != rows:
        stop(f"prepare-audio: recordings {states}, {rows} segment rows, {files} segment files")
    return {"wall": wall, "own": wall, "cpu": cpu, "segments": rows, "files": states["done"]}


def measure(sides, workers, repetitions):
    """{(side, workers): [result of each repetition]}"""
    results, names = {}, list(sides)
    for repetition in range(repetitions):
        for n in workers:
            turn = repetition % len(names)
            for name in names[turn:] + names[:turn]:
                with tempfile.TemporaryDirectory(dir=WORK) as tmp:
                    r = sides[name](n, Path(tmp))
                results.setdefault((name, n), []).append(r)
                print(f"{repetition + 1}/{repetitions} {name}, {n} workers: {r['own']:.2f} s, whole process {r['wall']:.2f} s, "
                      f"CPU {r['cpu']:.2f} s, {r['segments']} segments", file=sys.stderr)
    return results


def cpu_model():
    try:
        out = subprocess.run(["lscpu"], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
        return next(line.split(":", 1)[1].strip() for line in out.splitlines() if line.startswith("Model name"))
    except (OSError, subprocess.CalledProcessError, StopIteration):
        return platform.processor() or platform.machine()


def table(results, folder, repetitions):
    audio = next(r[0]["audio"] for r in results.values() if "audio" in r[0])
    median = {key: {k: statistics.median(r[k] for r in rows) for k in ("wall", "own", "cpu", "segments")} for key, rows in results.items()}
    kinds = {}
    for p in folder.rglob("*"):
        if p.is_file():
            kinds[p.suffix.lstrip(".").upper()] = kinds.get(p.suffix.lstrip(".").upper(), 0) + 1
    files = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lines = [
        f"{audio / 60:.1f} minutes of audio ({files}), {cpu_model()}, {cores} cores, {platform.system()}; medians of {repetitions}.",
        "",
        "| | workers | seconds | least - most | whole process | CPU seconds | x real time | segments | prepare-audio is faster by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (name, n), m in sorted(median.items(), key=lambda item: item[0][1]):
        spread = [r["own"] for r in results[name, n]]
        ratio = "" if name == "prepare-audio" else f"{m['own'] / median['prepare-audio', n]['own']:.2f}"
        lines.append(f"| {name} | {n} | {m['own']:.2f} | {min(spread):.2f} - {max(spread):.2f} | {m['wall']:.2f} | {m['cpu']:.2f} | "
                     f"{audio / m['own']:.0f} | {m['segments']:.0f} | {ratio} |")
    lines += ["", "`seconds` of a peer is its own figure, without loading its models; for prepare-audio it is the whole process. "
                  "x real time and the ratios are computed from it."]
    return "\n".join(lines)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--repetitions", type=int, default=3)
    ap.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    ap.add_argument("--minutes", type=int, default=32)
    ap.add_argument("--save", type=Path, help="write the table to this file too")
    a = ap.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    peer, folder = the_peer(), make_folder(a.minutes)
    python, program = the_python(), the_program()
    for p in folder.rglob("*"):  # read everything into the page cache
        if p.is_file():
            p.read_bytes()
    sides = {
        "peer, official": lambda n, tmp: run_peer("official", python, peer, folder, n, tmp),
        "peer, sequence": lambda n, tmp: run_peer("sequence", python, peer, folder, n, tmp),
        "prepare-audio": lambda n, tmp: run_program(program, folder, n, tmp),
    }
    text = table(measure(sides, a.workers, a.repetitions), folder, a.repetitions)
    print(text)
    if a.save:
        a.save.write_text(text + "\n")


if __name__ == "__main__":
    main()
