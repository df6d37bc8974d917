#!/usr/bin/env python3
"""Many short clips: clips per second and how busy the processors are, beside the Python pipeline.

  cargo build --release
  benches/clips.py target/release/prepare-audio [--clips 10000] [--seconds 4] [--workers 2] [--codec wav] [--peer]
  benches/clips.py target/release/prepare-audio --start 1000000

The clips are 16 kHz mono WAV files (or what --codec says, through ffmpeg), cut from fixtures/speech at positions that
differ, so that no two are equal. They are made once in --work (default: target/clips), which should be on a local disk.
Three runs are measured, each as a whole process from start to exit, with the clips in the page cache:

  sqlite, no files   --no-audio, SQLite
  sqlite, WAV        segment files and SQLite
  postgres, no files --no-audio, a PostgreSQL server on this machine, if initdb is on the path. Its own processor time
                     is not in the process's figure; `busy` counts it, because it is read from /proc/stat

`CPU ms` is the processor time of the process for each clip. `busy` is the part of all processor time of the machine that
was not idle (steal is left out); on a machine that others use, the CPU times are what to compare.

--peer also runs ../shared/bench/peer.py, the pipeline that a user would write (PEER=path names another one), in the Python
environment that benches/compare.py makes, on the first --peer-clips clips.
--start N measures how long `fetch` takes to its first recording in a table of N pending rows, and `status` on it.
"""
import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import wave
from array import array
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import compare  # noqa: E402  (the peer and its Python environment)

REPO = Path(__file__).resolve().parent.parent
RATE = 16000
SPEECH = ["pauses.wav", "wav_s16_16k_mono.wav", "a/same.wav", "b/same.wav"]
STEP = 37  # samples from one clip's beginning to the next one's; no divisor of the speech's length


def speech():
    samples = array("h")
    for name in SPEECH:
        with wave.open(str(REPO / "fixtures" / "speech" / name)) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2):
                samples.frombytes(file.readframes(file.getnframes()))
    return samples


def make_clips(folder, clips, seconds, codec):
    """Makes the clips that are not there yet; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    samples, length = speech(), round(seconds * RATE)
    looped = samples * (length // len(samples) + 2)
    for number in range(clips):
        path = folder / f"{number // 1000:03}" / f"{number:07}.{codec}"
        if path.exists():
            continue
        path.parent.mkdir(exist_ok=True)
        begin = number * STEP % len(samples)
        unfinished = path.with_name(path.name + ".unfinished")
        pcm = looped[begin:begin + length].tobytes()
        if codec == "wav":
            with wave.open(str(unfinished), "wb") as file:
                file.setnchannels(1), file.setsampwidth(2), file.setframerate(RATE)
                file.writeframes(pcm)
        else:
            raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-", "-f", codec, unfinished]
            subprocess.run([*compare.FFMPEG, *raw], input=pcm, check=True)
        unfinished.rename(path)
    return folder


def machine():
    """Busy and total processor time of the machine so far, in ticks."""
    with open("/proc/stat") as stat:
        user, nice, system, idle, iowait, irq, softirq = map(int, stat.readline().split()[1:8])
    busy = user + nice + system + irq + softirq
    return busy, busy + idle + iowait


def measure(name, command, clips, seconds, log):
    before = machine()
    wall, cpu, text = compare.timed(command, log)
    after = machine()
    busy = (after[0] - before[0]) / max(1, after[1] - before[1])
    print(f"| {name} | {clips / wall:.0f} | {wall:.2f} | {cpu / clips * 1000:.2f} | {busy:.0%} | {clips * seconds / wall:.0f} |", flush=True)
    return clips / wall, text


class Postgres:
    """A server for one run, with its default durability."""

    def __init__(self, work):
        self.folder = Path(tempfile.mkdtemp(prefix="pa-pg-", dir="/tmp"))
        binaries = Path(shutil.which("initdb")).resolve().parent
        self.as_other = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "nobody")
            self.as_other = ["setpriv", "--reuid=nobody", "--clear-groups", "--inh-caps=-all"]
        data = self.folder / "data"
        log = open(work / "postgres.log", "wb")
        run = [*self.as_other, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(run, check=True, stdout=log, stderr=log, cwd=self.folder)
        serve = [*self.as_other, binaries / "postgres", "-D", data, "-k", self.folder, "-c", "listen_addresses="]
        self.server = subprocess.Popen(serve, stdout=log, stderr=log, cwd=self.folder)
        self.address = f"postgres://postgres@localhost/postgres?host={self.folder}"
        for _ in range(200):
            if (self.folder / ".s.PGSQL.5432").exists():
                break
            time.sleep(0.05)

    def stop(self):
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def fetch(program, folder, database, output, workers, *more):
    return [program, "fetch", folder, "--workers", workers, "--database", database, "--output", output, "--quiet", *more]


def throughput(args, tmp):
    folder = make_clips(args.work / f"{args.codec}-{args.seconds:g}s-{args.clips}", args.clips, args.seconds, args.codec)
    for path in folder.rglob(f"*.{args.codec}"):  # into the page cache
        path.read_bytes()
    print(f"{args.clips} clips of {args.seconds:g} s ({args.codec}), {args.workers} workers, {compare.cpu_model()}, "
          f"{len(os.sched_getaffinity(0))} cores.\n")
    print("| | clips/s | seconds | CPU ms | busy | x real time |\n| --- | --- | --- | --- | --- | --- |")
    for repetition in range(args.repetitions):
        out = tmp / f"run-{repetition}"
        out.mkdir()
        for name, more in [("sqlite, no files", ["--no-audio"]), ("sqlite, WAV", [])]:
            database = out / f"{name}.db"
            measure(name, fetch(args.program, folder, f"sqlite://{database}", out / name, args.workers, *more),
                    args.clips, args.seconds, tmp / "log")
            with sqlite3.connect(database) as db:
                states = dict(db.execute("SELECT state, count(*) FROM recording GROUP BY state"))
            if states != {"done": args.clips}:
                compare.stop(f"{name}: {states}")
            shutil.rmtree(out / name, ignore_errors=True)
        if shutil.which("initdb") and not args.without_postgres:
            server = Postgres(tmp)
            try:
                measure("postgres, no files", fetch(args.program, folder, server.address, out / "pg", args.workers, "--no-audio"),
                        args.clips, args.seconds, tmp / "log")
            finally:
                server.stop()
    if args.peer:
        part = make_clips(args.work / f"{args.codec}-{args.seconds:g}s-{args.peer_clips}", args.peer_clips, args.seconds, args.codec)
        peer, python = compare.the_peer(), compare.the_python()
        for kind in ("official", "sequence"):
            for name, more in [("no files", ["--no-segments"]), ("WAV", [])]:
                command = [python, peer, part, tmp / f"peer-{kind}-{name}", "--workers", args.workers, "--vad", kind, *more]
                _, cpu, text = compare.timed(command, tmp / "log")
                own = json.loads(text.strip().splitlines()[-1])["wall_s"]
                print(f"| peer, {kind}, {name} (own clock, models loaded) | {args.peer_clips / own:.0f} | {own:.2f} | "
                      f"{cpu / args.peer_clips * 1000:.2f} | | {args.peer_clips * args.seconds / own:.0f} |", flush=True)


def start(args, tmp):
    """Time to the first recording among many pending rows, and of `status`."""
    clip = next(iter(sorted(make_clips(args.work / "wav-4s-1", 1, 4, "wav").rglob("*.wav"))))
    database = tmp / "queue.db"
    subprocess.run([args.program, "add", clip, "--database", f"sqlite://{database}", "--quiet"], check=True)
    with sqlite3.connect(database) as db:
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                   "INSERT INTO recording (source, priority) SELECT '/data/set/' || i || '.wav', 1 FROM n", (args.start - 1,))
    db.close()
    for _ in range(args.repetitions):
        begun = time.perf_counter()
        subprocess.run([args.program, "status", "--database", f"sqlite://{database}"], check=True, stdout=subprocess.DEVNULL)
        status = time.perf_counter() - begun
        copy = tmp / "copy.db"
        shutil.copy(database, copy)
        begun = time.perf_counter()
        command = [args.program, "fetch", "--workers", args.workers, "--database", f"sqlite://{copy}", "--output", tmp / "out",
                   "--audio-dir", "/", "--log-level", "error"]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first = None
        while first is None and time.perf_counter() - begun < 60:
            time.sleep(0.01)
            with sqlite3.connect(f"file:{copy}?mode=ro", uri=True, timeout=5) as db:
                first = db.execute("SELECT min(finished_at) FROM recording WHERE state = 'done'").fetchone()[0]
            db.close()
        seconds = time.perf_counter() - begun
        peak = max(int(line.split()[1]) for line in open(f"/proc/{process.pid}/status") if line.startswith("VmHWM"))
        process.kill()
        process.wait()
        print(f"{args.start} pending rows: first recording done after {seconds:.2f} s, peak {peak / 1024:.0f} MB; status {status:.2f} s", flush=True)
        for path in tmp.glob("copy.db*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--codec", default="wav", choices=["wav", "flac", "mp3", "ogg"])
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--peer-clips", type=int, default=1000)
    parser.add_argument("--without-postgres", action="store_true")
    parser.add_argument("--start", type=int, metavar="ROWS")
    parser.add_argument("--work", type=Path, default=REPO / "target" / "clips")
    args = parser.parse_args()
    args.program = args.program.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work) as tmp:
        (start if args.start else throughput)(args, Path(tmp))


if __name__ == "__main__":
    main()
