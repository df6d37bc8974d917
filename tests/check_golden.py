#!/usr/bin/env python3
"""Compares the program's segments with those of the official silero-vad package. Needs Python 3.9, and ffmpeg for real speech.

  tests/check_golden.py target/release/prepare-audio              real speech: ../shared/audio against ../shared/golden
  tests/check_golden.py target/release/prepare-audio --fixtures   fixtures/ against fixtures/expected/

--shared FOLDER is the folder of the real speech. Each check prints a line. Exit code: 0 all equal, 1 some differ, 2 not run.
"""
import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
WINDOW = 512
FLAGS = {
    "threshold": "--vad-threshold",
    "neg_threshold": "--vad-neg-threshold",
    "min_speech_duration_ms": "--vad-min-speech-duration-ms",
    "max_speech_duration_s": "--vad-max-speech-duration-s",
    "min_silence_duration_ms": "--vad-min-silence-duration-ms",
    "speech_pad_ms": "--vad-speech-pad-ms",
    "min_silence_at_max_speech": "--vad-min-silence-at-max-speech-ms",
    "use_max_poss_sil_at_max_speech": "--vad-use-max-possible-silence",
}
# A steep filter. ffmpeg's default filter attenuates so much that the official package itself finds other segments after it.
RESAMPLE = "aresample={}:filter_size=256:phase_shift=12:cutoff=0.995"
GOOD, BAD = ["speech", "quiet", "truncated"], ["bad"]  # folders of fixtures/


class Checks:
    count = failed = 0

    def check(self, name, problem):
        """Prints the result of a check. `problem` is None if it passed."""
        self.count += 1
        self.failed += problem is not None
        print(f"ok     {name}" if problem is None else f"FAILED {name}: {problem}", flush=True)

    def equal(self, name, got, want):
        self.check(name, None if got == want else f"{got}, not {want}")


class Run:
    """One `fetch` into a new database and folder, with its rows."""

    def __init__(self, binary, sources, folder, parameters=None):
        self.folder = folder
        folder.mkdir(parents=True)
        flags = [f"{FLAGS[k]}={json.dumps(v)}" for k, v in (parameters or {}).items()]
        database = folder / "queue.db"
        self.done = subprocess.run(
            [binary, "fetch", *map(str, sources), "--database", f"sqlite://{database}", "--output", str(folder / "out"),
             "--quiet", "--workers", "2", *flags],
            cwd=folder, capture_output=True, text=True)
        self.rows, self.segments = {}, {}
        if database.exists():
            self.read(database)

    def read(self, database):
        db = sqlite3.connect(database)
        db.row_factory = sqlite3.Row
        for r in db.execute("SELECT * FROM recording"):
            self.rows[self.absolute(r["source"])] = r
        for r in db.execute("SELECT r.source, s.* FROM segment s JOIN recording r ON r.id = s.recording_id ORDER BY r.id, s.idx"):
            self.segments.setdefault(self.absolute(r["source"]), []).append(r)
        db.close()

    def absolute(self, path):
        """The absolute path of a path in a row, which may be relative to the working directory or the output folder."""
        candidates = [Path(path), self.folder / path, self.folder / "out" / path]
        return next((p.resolve() for p in candidates if p.is_absolute() or p.exists()), Path(path))

    def row(self, source):
        return self.rows.get(source.resolve())

    def of(self, source):
        return self.segments.get(source.resolve(), [])

    def bounds(self, source):
        return [[s["start_sample"], s["end_sample"]] for s in self.of(source)]

    def trouble(self, source):
        """The reason why a source has no segments to compare, or None."""
        row = self.row(source)
        if row is None:
            return f"no row; exit code {self.done.returncode}: {self.last_words()}"
        if row["state"] != "done":
            return f"state {row['state']}, {row['error_code']}: {row['error']}"
        indices = [s["idx"] for s in self.of(source)]
        return None if indices == list(range(len(indices))) else f"the indices of its segments are {indices}"

    def check_exit(self, checks, label, want):
        got = self.done.returncode
        checks.check(f"{label}: exit code {want}", None if got == want else f"it is {got}: {self.last_words()}")

    def last_words(self):
        return (self.done.stderr.strip().splitlines() or ["(nothing on standard error)"])[-1][:300]


def too_far(got, want, tolerance):
    if len(got) != len(want):
        return f"{len(got)} segments, not {len(want)}: {got}, not {want}"
    for i, (g, w) in enumerate(zip(got, want)):
        if max(abs(g[0] - w[0]), abs(g[1] - w[1])) > tolerance:
            return f"segment {i} is {g}, not {w}" + (f" within {tolerance} samples" if tolerance else "")
    return None


def read_wav(path):
    with wave.open(str(path)) as w:
        shape = (w.getframerate(), w.getnchannels(), w.getsampwidth())
        if shape != (16000, 1, 2):
            raise wave.Error(f"{path} is not 16 kHz mono 16-bit: {shape}")
        return w.readframes(w.getnframes())


def wrong_files(run, source, exact):
    """Checks that each segment file has as many samples as its row says and, if `exact`, that they are the source's."""
    whole = read_wav(source) if exact else b""
    for s in run.of(source):
        start, end, path = s["start_sample"], s["end_sample"], run.absolute(s["path"])
        try:
            part = read_wav(path)
        except (OSError, EOFError, wave.Error) as e:
            return f"segment {s['idx']}: {e}"
        if len(part) != 2 * (end - start):
            return f"segment {s['idx']}: {len(part) // 2} samples in its file, {end - start} in its row"
        if exact and part != whole[2 * start:2 * end]:
            return f"segment {s['idx']}: {path} differs from the source's samples"
    return None


def check_exact(checks, binary, base, golden, tmp):
    """Segments equal the package's to the sample, for each set of parameters."""
    sources = {name: base / name for name in golden["files"]}
    for label, parameters in golden["parameters"].items():
        run = Run(binary, sources.values(), tmp / label, parameters)
        run.check_exit(checks, label, 0)
        for name, source in sources.items():
            want, trouble = golden["files"][name], run.trouble(source)
            bounds = want["segments"][label]
            checks.check(f"{label}: {name}: {len(bounds)} segments", trouble or too_far(run.bounds(source), bounds, 0))
            checks.check(f"{label}: {name}: bit for bit", trouble or wrong_files(run, source, exact=True))
            if not trouble:
                checks.equal(f"{label}: {name}: length", run.row(source)["samples"], want["samples"])


def check_other_rates(checks, binary, base, golden, tmp):
    """With the same speech at 44.1 and 48 kHz, every boundary is within one window of the package's."""
    made = {}
    (tmp / "rates").mkdir()
    for name in golden["files"]:
        for rate in (44100, 48000):
            for kind in ("wav", "flac"):
                path = tmp / "rates" / f"{Path(name).stem}_{rate}.{kind}"
                subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", base / name, "-af", RESAMPLE.format(rate), path], check=True)
                made[path] = golden["files"][name]["segments"]
    for label, parameters in golden["parameters"].items():
        run = Run(binary, made, tmp / f"rates-{label}", parameters)
        for path, want in made.items():
            trouble = run.trouble(path)
            checks.check(f"{label}: {path.name}: within one window", trouble or too_far(run.bounds(path), want[label], WINDOW))
            checks.check(f"{label}: {path.name}: its files", trouble or wrong_files(run, path, exact=False))


def misses_speech(got, speech):
    """At least half of each sentence is in segments, and the middle of each pause is not."""
    got = [(s / 16000, e / 16000) for s, e in got]
    for start, end in speech:
        inside = sum(max(0, min(e, end) - max(s, start)) for s, e in got)
        if inside < (end - start) / 2:
            return f"the sentence at {start}-{end} s is not in {got}"
    for (_, before), (after, _) in zip(speech, speech[1:]):
        if any(s <= (before + after) / 2 < e for s, e in got):
            return f"the pause at {before}-{after} s is detected as speech: {got}"
    return None


def check_good(checks, run, path, name, want, speech):
    trouble = run.trouble(path)
    what = f"{name}: {len(want['segments'])} segments within one window"
    checks.check(what, trouble or too_far(run.bounds(path), want["segments"], WINDOW))
    if trouble:
        return
    checks.check(f"{name}: its files", wrong_files(run, path, exact=False))
    checks.check(f"{name}: sentences and pauses", misses_speech(run.bounds(path), speech))
    row = run.row(path)
    checks.equal(f"{name}: rate and channels", (row["sample_rate"], row["channels"]), (want["sample_rate"], want["channels"]))
    checks.equal(f"{name}: marked truncated or not", bool(row["truncated"]), name.startswith("truncated/"))


def check_formats(checks, binary, base, tmp):
    """Prepares every fixture in one run. Good ones are within one window of the package's segments of ffmpeg's output;
    only the bad ones fail."""
    expected = base / "expected"
    formats = json.loads((expected / "formats.json").read_text(encoding="utf-8"))["files"]
    pauses = json.loads((expected / "pauses.json").read_text(encoding="utf-8"))
    files = {folder: sorted(p for p in (base / folder).rglob("*") if p.is_file()) for folder in GOOD + BAD}
    run = Run(binary, [base / folder for folder in files], tmp / "formats")
    run.check_exit(checks, "all fixtures", 1)
    checks.equal("all fixtures: rows", len(run.rows), sum(map(len, files.values())))
    for path in (p for folder in GOOD for p in files[folder]):
        name = path.relative_to(base).as_posix()
        check_good(checks, run, path, name, formats[name], pauses.get(name, {}).get("speech", []))
    for path in (p for folder in BAD for p in files[folder]):
        row = run.row(path)
        state, code = (row["state"], row["error_code"]) if row else (None, None)
        ok = state in ("failed", "quarantined") and code and not run.of(path)
        checks.check(f"{path.relative_to(base).as_posix()}: fails with a code ({code})",
                     None if ok else f"state {state}, code {code}, {len(run.of(path))} segments")
    same = [run.of(p) for p in files["speech"] if p.name == "same.wav"]
    paths = {s["path"] for segments in same for s in segments}
    ok = len(same) == 2 and all(same) and len(paths) == sum(map(len, same))
    checks.check("two files with the same name have different segments", None if ok else f"{sorted(paths)}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary", type=Path)
    ap.add_argument("--fixtures", action="store_true", help="check fixtures/ instead of the real speech")
    ap.add_argument("--shared", type=Path, default=REPO.parent / "shared", help="folder with audio/ and golden/ (default: beside the checkout)")
    a = ap.parse_args()
    base = REPO / "fixtures" if a.fixtures else a.shared / "audio"
    golden = REPO / "fixtures/expected/segments.json" if a.fixtures else a.shared / "golden/segments.json"
    for path in (a.binary, golden):
        if not path.exists():
            ap.error(f"there is no {path}")
    if not a.fixtures and not shutil.which("ffmpeg"):
        ap.error("ffmpeg is missing (apt-get install ffmpeg)")
    checks, binary = Checks(), a.binary.resolve()
    golden = json.loads(golden.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="check_golden.") as tmp:
        tmp = Path(tmp).resolve()
        check_exact(checks, binary, base, golden, tmp)
        if a.fixtures:
            check_formats(checks, binary, base, tmp)
        else:
            check_other_rates(checks, binary, base, golden, tmp)
    print(f"{checks.count} checks, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
