"""Exports a corpus in each format and loads it with the tools that it is made for.

Run by tests/consumers.sh, which installs the tools. The counts, seconds and samples that they load must be those of the
rows. A tool that cannot be imported is a failure.

    python3 tests/consumers.py PROGRAM DATABASE WORK_FOLDER
"""

import csv
import hashlib
import io
import json
import pathlib
import sqlite3
import subprocess
import sys
import wave

from stand_in import stand_in

with stand_in("torch", "torchaudio"):
    import lhotse
    import lhotse.kaldi

PROGRAM, DATABASE, WORK = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
failures = []


def export(name, *arguments, to=None, code=0):
    command = [PROGRAM, "export", name, "--database", f"sqlite://{DATABASE}", *map(str, arguments)]
    if to is not None:
        command += ["--to", str(to)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == code, f"{' '.join(command)}: exit code {result.returncode}\n{result.stderr}"
    return result.stdout


def rows():
    """The segments as the database has them."""
    database = sqlite3.connect(DATABASE)
    database.row_factory = sqlite3.Row
    query = """SELECT s.*, r.source, r.duration_s AS recording_s FROM segment s JOIN recording r ON r.id = s.recording_id
               WHERE r.state = 'done' ORDER BY s.recording_id, s.idx"""
    return [dict(row) for row in database.execute(query)]


ROWS = rows()
SECONDS = sum(row["end_s"] - row["start_s"] for row in ROWS)
# fixtures/ has two files of one name in different folders.
UNIQUE = ["--ids", "key"]
SOURCES = sorted({row["source"] for row in ROWS})


def samples_of(path):
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


AUDIO = sorted(hashlib.sha256(samples_of(row["path"])).hexdigest() for row in ROWS)
DENOISED = sorted(hashlib.sha256(samples_of(row["denoised_path"])).hexdigest() for row in ROWS)


def equal(got, wanted, what):
    assert got == wanted, f"{what}: {got}, expected {wanted}"


def near(got, wanted, tolerance, what):
    assert abs(got - wanted) <= tolerance, f"{what}: {got}, expected {wanted}"


def pcm(samples):
    """16-bit samples of floating-point ones."""
    import numpy

    return (numpy.asarray(samples).reshape(-1) * 32768).round().astype("<i2").tobytes()


def hashes(samples):
    return sorted(hashlib.sha256(pcm(each)).hexdigest() for each in samples)


def lhotse_segments(audio="segments", wanted=AUDIO):
    folder = WORK / f"lhotse-{audio}"
    export("lhotse", "--audio", audio, to=folder)
    recordings = lhotse.load_manifest(folder / "recordings.jsonl.gz")
    supervisions = lhotse.load_manifest(folder / "supervisions.jsonl.gz")
    cuts = lhotse.load_manifest(folder / "cuts.jsonl.gz")
    lhotse.validate_recordings_and_supervisions(recordings, supervisions)
    lhotse.validate(cuts, read_data=True)
    equal(len(cuts), len(ROWS), "cuts")
    near(sum(cut.duration for cut in cuts), SECONDS, 1e-6 * len(ROWS), "seconds")
    equal(hashes(cut.load_audio() for cut in cuts), wanted, "samples")


def lhotse_denoised():
    lhotse_segments("denoised", DENOISED)


def lhotse_sources():
    folder = WORK / "lhotse-sources"
    export("lhotse", "--audio", "sources", "--relative", to=folder)
    cuts = lhotse.load_manifest(folder / "cuts.jsonl.gz")
    equal(len(cuts), len(ROWS), "cuts")
    equal(len(lhotse.load_manifest(folder / "recordings.jsonl.gz")), len(SOURCES), "recordings")
    for cut in cuts.with_recording_path_prefix(folder):
        samples = cut.load_audio().shape[1]
        near(samples / cut.sampling_rate, cut.duration, 1 / cut.sampling_rate, f"{cut.id}: seconds of audio")


def nemo():
    path = WORK / "nemo.jsonl"
    export("nemo", to=path)
    # The rules of NeMo's documentation, "Preparing Custom ASR Data": a JSON object a line, audio_filepath, duration, text.
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    equal(len(lines), len(ROWS), "lines")
    near(sum(line["duration"] for line in lines), SECONDS, 1e-6, "seconds")
    by_path = {row["path"]: row for row in ROWS}
    for line in lines:
        assert isinstance(line["text"], str) and line["offset"] == 0
        equal(line["snr_db"], by_path[line["audio_filepath"]]["snr_db"], "snr_db")
        with wave.open(line["audio_filepath"]) as file:
            near(file.getnframes() / file.getframerate(), line["duration"], 1e-9, line["audio_filepath"])
    path = WORK / "nemo-sources.jsonl"
    export("nemo", "--audio", "sources", "--relative", to=path)
    for line, row in zip(map(json.loads, path.read_text().splitlines()), ROWS, strict=True):
        equal((WORK / line["audio_filepath"]).resolve(), pathlib.Path(row["source"]).resolve(), "source")
        equal((line["offset"], line["offset"] + line["duration"]), (row["start_s"], row["end_s"]), "times")


def kaldi():
    for name, arguments in [("kaldi", ["--audio", "segments"]), ("kaldi-sources", [])]:
        folder = WORK / name
        export("kaldi", *arguments, to=folder)
        check_kaldi_folder(folder)
        # Lhotse's importer wants a text for every utterance. These recordings have several utterances or none.
        ids = [line.split()[0] for line in (folder / "utt2spk").read_text().splitlines()]
        (folder / "text").write_text("".join(f"{id} x\n" for id in ids))
        recordings, supervisions, _ = lhotse.kaldi.load_kaldi_data_dir(folder, 16_000)
        if arguments:
            equal(len(recordings), len(ROWS), "recordings")
        else:
            equal(len(supervisions), len(ROWS), "utterances")
            near(sum(supervision.duration for supervision in supervisions), SECONDS, 1e-4 * len(ROWS), "seconds")


def check_kaldi_folder(folder):
    """The rules of Kaldi's utils/validate_data_dir.sh."""

    def table(name):
        path = folder / name
        if not path.exists():
            return None
        lines = path.read_bytes().splitlines()
        equal(lines, sorted(lines), f"{name}: order of LC_ALL=C sort")
        keys = [line.split(b" ")[0] for line in lines]
        equal(len(keys), len(set(keys)), f"{name}: distinct ids")
        return dict(line.split(b" ", 1) for line in lines)

    utt2spk, spk2utt, wav, durations = map(table, ["utt2spk", "spk2utt", "wav.scp", "utt2dur"])
    equal(list(utt2spk), list(durations), "utt2dur: utterances")
    by_speaker = sorted((speaker, utterance) for utterance, speaker in utt2spk.items())
    equal([utterance for _, utterance in by_speaker], list(utt2spk), "utt2spk: order by speaker")
    pairs = [(speaker, utterance) for speaker, all in spk2utt.items() for utterance in all.split(b" ")]
    equal(pairs, by_speaker, "spk2utt")
    assert all(utterance.startswith(speaker) for speaker, utterance in by_speaker), "utterances begin with their speakers"
    segments = table("segments")
    recordings = set(wav)
    if segments is None:
        equal(set(utt2spk), recordings, "wav.scp: utterances")
    else:
        equal(set(segments), set(utt2spk), "segments: utterances")
        equal({line.split(b" ")[0] for line in segments.values()}, recordings, "segments: recordings")
    equal(set(table("reco2dur")), recordings, "reco2dur: recordings")


def huggingface():
    import datasets

    folder = WORK / "huggingface"
    export("huggingface", to=folder)
    cache = WORK / "huggingface-cache"
    with stand_in("torch", "torchcodec"):  # imported before it is known that there is nothing to encode
        data = datasets.load_dataset("audiofolder", data_dir=str(folder), cache_dir=str(cache), split="train")
    data = data.cast_column("audio", datasets.Audio(decode=False))
    equal(len(data), len(ROWS), "rows")
    near(sum(data["duration"]), SECONDS, 1e-6, "seconds")
    got = sorted(hashlib.sha256(samples_of(row["audio"]["path"])).hexdigest() for row in data)
    equal(got, AUDIO, "samples")


def huggingface_parquet():
    import datasets

    folder = WORK / "huggingface-parquet"
    export("huggingface-parquet", "--shard-size", 1, to=folder)
    assert len(list(folder.glob("*.parquet"))) > 1, "several shards"
    data = datasets.load_dataset(str(folder), cache_dir=str(WORK / "huggingface-cache"), split="train")
    assert isinstance(data.features["audio"], datasets.Audio), data.features["audio"]
    data = data.cast_column("audio", datasets.Audio(decode=False))
    equal(len(data), len(ROWS), "rows")
    near(sum(data["duration"]), SECONDS, 1e-6, "seconds")
    for row, wanted in zip(data, ROWS, strict=True):
        equal(row["audio"]["bytes"], pathlib.Path(wanted["path"]).read_bytes(), f"{row['id']}: bytes")
        assert row["audio"]["path"].startswith(row["id"]), row["audio"]["path"]
    # The audiofolder has the same columns and values.
    with stand_in("torch", "torchcodec"):
        folder = datasets.load_dataset("audiofolder", data_dir=str(WORK / "huggingface"), split="train")
    columns = [name for name in folder.column_names if name != "audio"]
    equal(sorted(columns), sorted(name for name in data.column_names if name != "audio"), "columns")
    by_id = {row["id"]: row for row in folder.select_columns(columns)}
    for row in data.select_columns(columns):
        equal(row, by_id[row["id"]], row["id"])


def webdataset():
    import webdataset

    for name in ["webdataset", "webdataset-again"]:
        export("webdataset", "--shard-size", 1, to=WORK / name)
    shards = sorted((WORK / "webdataset").glob("*.tar"))
    for shard in shards:
        equal(shard.read_bytes(), (WORK / "webdataset-again" / shard.name).read_bytes(), f"{shard.name}: bytes of two exports")
        assert shard.stat().st_size <= 1_000_000, f"{shard.name}: {shard.stat().st_size} bytes"
    data = list(webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False, empty_check=False))
    equal(len(data), len(ROWS), "samples")
    got = []
    for sample in data:
        with wave.open(io.BytesIO(sample["wav"])) as file:
            got.append(hashlib.sha256(file.readframes(file.getnframes())).hexdigest())
    equal(sorted(got), AUDIO, "samples")
    near(sum(json.loads(sample["json"])["duration"] for sample in data), SECONDS, 1e-6, "seconds")
    export("webdataset", to=WORK / "webdataset-again")
    equal(len(list((WORK / "webdataset-again").glob("*.tar"))), 1, "shards of the second export")


def rttm():
    from pyannote.database.util import load_rttm

    path = WORK / "all.rttm"
    export("rttm", *UNIQUE, to=path)
    annotations = load_rttm(path)
    equal(len(annotations), len(SOURCES), "recordings")
    tracks = sum(len(list(annotation.itertracks())) for annotation in annotations.values())
    equal(tracks, len(ROWS), "turns")
    seconds = sum(segment.duration for annotation in annotations.values() for segment, _ in annotation.itertracks())
    near(seconds, SECONDS, 1e-3 * len(ROWS), "seconds")
    export("rttm", *UNIQUE, to=f"{WORK / 'rttm'}/")
    equal(len(list((WORK / "rttm").glob("*.rttm"))), len(SOURCES), "files")
    export("rttm", code=2 if len({pathlib.Path(source).stem for source in SOURCES}) < len(SOURCES) else 0)


def uem():
    from pyannote.database.util import load_uem

    path = WORK / "all.uem"
    export("uem", *UNIQUE, to=path)
    seconds = sum(timeline.duration() for timeline in load_uem(path).values())
    wanted = sqlite3.connect(DATABASE).execute("SELECT SUM(duration_s) FROM recording WHERE state = 'done'").fetchone()[0]
    near(seconds, wanted, 1e-3 * len(load_uem(path)), "seconds")


def ctm_and_stm():
    lines = [line.split(" ") for line in export("ctm", *UNIQUE).splitlines()]
    # A segment with a text has a line for each word.
    assert len(lines) >= len(ROWS) and all(len(line) == 5 for line in lines), "ctm: lines"
    near(sum(float(line[3]) for line in lines), SECONDS, 1e-3 * len(lines), "ctm: seconds")
    lines = [line.split(" ") for line in export("stm", *UNIQUE).splitlines()]
    equal(len(lines), len(ROWS), "stm: lines")
    near(sum(float(line[4]) - float(line[3]) for line in lines), SECONDS, 1e-3 * len(ROWS), "stm: seconds")


def per_recording(name, extension, load):
    folder = WORK / name
    export(name, *UNIQUE, to=folder)
    files = sorted(folder.glob(f"*.{extension}"))
    recordings = sqlite3.connect(DATABASE).execute("SELECT COUNT(*) FROM recording WHERE state = 'done'").fetchone()[0]
    equal(len(files), recordings, f"{name}: a file for each recording")
    spans = [span for file in files for span in load(file)]
    equal(len(spans), len(ROWS), f"{name}: segments")
    near(sum(end - start for start, end in spans), SECONDS, 2e-3 * len(ROWS), f"{name}: seconds")


def textgrid():
    import parselmouth

    def load(path):
        grid = parselmouth.read(str(path))

        def ask(question, *arguments):
            return parselmouth.praat.call(grid, question, *arguments)

        spans = []
        for tier in range(1, int(ask("Get number of tiers")) + 1):
            for interval in range(1, int(ask("Get number of intervals", tier)) + 1):
                if ask("Get label of interval", tier, interval):
                    times = [ask(f"Get {end} time of interval", tier, interval) for end in ["start", "end"]]
                    spans.append(tuple(times))
        return spans

    per_recording("textgrid", "TextGrid", load)


def eaf():
    import pympi

    def load(path):
        document = pympi.Elan.Eaf(str(path))
        tiers = document.get_tier_names()
        return [(span[0] / 1000, span[1] / 1000) for tier in tiers for span in document.get_annotation_data_for_tier(tier)]

    per_recording("eaf", "eaf", load)


def subtitles():
    import srt
    import webvtt

    def load_srt(path):
        return [(cue.start.total_seconds(), cue.end.total_seconds()) for cue in srt.parse(path.read_text(), ignore_errors=False)]

    def load_vtt(path):
        return [(cue.start_in_seconds, cue.end_in_seconds) for cue in webvtt.read(path)] if "-->" in path.read_text() else []

    per_recording("srt", "srt", load_srt)
    folder = WORK / "vtt"
    export("vtt", *UNIQUE, to=folder)
    cues = [span for file in folder.glob("*.vtt") for span in load_vtt(file)]
    equal(len(cues), len(ROWS), "vtt: cues")


def audacity():
    def load(path):
        return [tuple(map(float, line.split("\t")[:2])) for line in path.read_text().splitlines()]

    per_recording("audacity", "txt", load)


def whisperx():
    def load(path):
        return [(segment["start"], segment["end"]) for segment in json.loads(path.read_text())["segments"]]

    per_recording("whisperx", "json", load)


def tables():
    import pandas

    for name, separator in [("csv", ","), ("tsv", "\t")]:
        path = WORK / f"all.{name}"
        export(name, to=path)
        frame = pandas.read_csv(path, sep=separator)
        equal(len(frame), len(ROWS), f"{name}: rows")
        near(frame["segment_s"].sum(), SECONDS, 1e-6, f"{name}: seconds")
        equal(frame["path"].tolist(), [row["path"] for row in ROWS], f"{name}: paths")
        with open(path, newline="") as file:
            equal(len(list(csv.reader(file, delimiter=separator))), len(ROWS) + 1, f"{name}: lines")
    path = WORK / "all.jsonl"
    export("jsonl", to=path)
    frame = pandas.read_json(path, lines=True)
    equal(frame["sha256"].tolist(), [row["sha256"] for row in ROWS], "jsonl: hashes")
    near((frame["end_s"] - frame["start_s"]).sum(), SECONDS, 1e-6, "jsonl: seconds")


def parquet():
    import pandas
    import polars

    path = WORK / "all.parquet"
    export("parquet", to=path)
    csv_file = WORK / "of-parquet.csv"
    export("csv", to=csv_file)
    # The same columns and values as in CSV, and their types.
    frame, text = pandas.read_parquet(path), pandas.read_csv(csv_file, dtype=str, keep_default_na=False)
    equal(list(frame.columns), list(text.columns), "columns")
    for name in frame.columns:
        values = frame[name]
        if values.dtype.kind == "f":
            wanted = [float(value) if value else None for value in text[name]]
            equal([None if value != value else value for value in values], wanted, name)
        elif values.dtype.kind == "i":
            equal(values.tolist(), [int(value) for value in text[name]], name)
        else:
            equal([value if isinstance(value, str) else "" for value in values], text[name].tolist(), name)
    table = polars.read_parquet(path)
    equal(table["sha256"].to_list(), [row["sha256"] for row in ROWS], "polars: hashes")
    near(table["segment_s"].sum(), SECONDS, 1e-6, "polars: seconds")


def split():
    folder = WORK / "split"
    export("nemo", "--split", "train=0.5,test=0.5", to=folder)
    parts = [set((folder / f"{part}.jsonl").read_text().splitlines()) for part in ["train", "test"]]
    equal(len(parts[0]) + len(parts[1]), len(ROWS), "lines")
    assert not parts[0] & parts[1]


CHECKS = [
    lhotse_segments, lhotse_denoised, lhotse_sources, nemo, kaldi, huggingface, huggingface_parquet, webdataset, rttm, uem,
    ctm_and_stm, textgrid, eaf, subtitles, audacity, whisperx, tables, parquet, split,
]  # fmt: skip

for check in CHECKS:
    try:
        check()
        print(f"ok      {check.__name__}")
    except Exception as error:
        failures.append(check.__name__)
        print(f"FAILED  {check.__name__}: {type(error).__name__}: {error}")

print(f"{len(CHECKS) - len(failures)} of {len(CHECKS)} consumers load {len(ROWS)} segments, {SECONDS:.1f} s")
sys.exit(bool(failures))
