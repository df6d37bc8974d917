"""Makes segmenter_cases.jsonl.gz: random probabilities and parameters, with the official package's segments.

    python make_segmenter_cases.py        needs silero-vad 6.2.3

One JSON object per line: `parameters` (as prepare-audio names them), `total` (samples), `track` (one character per window:
chr(48 + level), the probability is float32(level) / float32(63)) and `segments` ([start, end] in samples).
"""

import gzip
import json
import random
from pathlib import Path

import numpy as np
from silero_vad.utils_vad import get_speech_timestamps_from_probs

CASES = 6000
LEVELS = 63
WINDOW = 512


def probability(level: int) -> float:
    return float(np.float32(level) / np.float32(LEVELS))


def make_track(rng: random.Random, threshold: float, neg_threshold: float) -> list[int]:
    """Alternates between speech, silence and levels between the thresholds, with a few random windows."""
    length = rng.choice([0, 1, 2, 5, rng.randrange(40), rng.randrange(200), rng.randrange(600)])
    kind = rng.choices(["dwell", "noise", "speech", "silence", "alternate"], [84, 3, 3, 3, 7])[0]
    high, low = round(threshold * LEVELS), round(neg_threshold * LEVELS)
    levels = {
        "speech": [LEVELS, min(high + 5, LEVELS), min(high, LEVELS)],
        "between": [max(high - 1, 0), (high + low) // 2, max(low, 0)],
        "silence": [0, max(low - 1, 0), max(low // 2, 0)],
    }
    track: list[int] = []
    stray = rng.choice([0.0, 0.0, 0.02, 0.1])
    dwell = rng.choice([2, 4, 8, 20, 60])
    while len(track) < length:
        if kind == "noise":
            track.append(rng.randint(0, LEVELS))
            continue
        state = kind if kind in levels else rng.choices(list(levels), [5, 1, 4])[0]
        run = 1 + int(rng.expovariate(1 / dwell)) if kind != "alternate" else rng.randint(1, 3)
        level = rng.choice(levels[state])
        for _ in range(run):
            track.append(rng.randint(0, LEVELS) if rng.random() < stray else level)
    return track[:length]


def make_parameters(rng: random.Random) -> dict:
    threshold = rng.choice(
        [0.5, 0.5, 0.3, 0.7, rng.random(), probability(rng.randint(0, LEVELS)), rng.randint(0, LEVELS) / LEVELS, 0.0, 1.0]
    )
    below, above = rng.uniform(0, threshold), rng.uniform(threshold, 1)
    neg_threshold = rng.choices([None, below, threshold, above, 0.35], [5, 3, 1, 1, 1])[0]
    return {
        "threshold": threshold,
        "neg_threshold": neg_threshold,
        "min_speech_duration_ms": rng.choice([0, 1, 32, 64, 100, 250, 250, 500, 1000, rng.randrange(3000)]),
        "max_speech_duration_s": rng.choice(
            [None, None, None, 0.01, 0.1, 0.5, 1, 1.5, 2, 3, 5, rng.uniform(0.001, 10), rng.uniform(0.5, 4)]
        ),
        "min_silence_duration_ms": rng.choice([0, 1, 32, 64, 100, 100, 300, 500, 1000, 2000, rng.randrange(3000)]),
        "speech_pad_ms": rng.choice([0, 1, 15, 30, 30, 47, 100, 200, 400, 1000, rng.randrange(5000)]),
        "min_silence_at_max_speech_ms": rng.choice([98, 98, 98, 0, 1, 32, 33, 64, 200, 500, rng.randrange(1000)]),
        "use_max_possible_silence": rng.random() < 0.6,
    }


def answer(parameters: dict, track: list[int], total: int) -> list[list[int]]:
    limit = parameters["max_speech_duration_s"]
    segments = get_speech_timestamps_from_probs(
        [probability(level) for level in track],
        audio_length_samples=total,
        threshold=parameters["threshold"],
        neg_threshold=parameters["neg_threshold"],
        min_speech_duration_ms=parameters["min_speech_duration_ms"],
        max_speech_duration_s=float("inf") if limit is None else limit,
        min_silence_duration_ms=parameters["min_silence_duration_ms"],
        speech_pad_ms=parameters["speech_pad_ms"],
        min_silence_at_max_speech=parameters["min_silence_at_max_speech_ms"],
        use_max_poss_sil_at_max_speech=parameters["use_max_possible_silence"],
    )
    return [[segment["start"], segment["end"]] for segment in segments]


def main() -> None:
    rng = random.Random(20250611)
    lines = []
    for _ in range(CASES):
        parameters = make_parameters(rng)
        neg_threshold = parameters["neg_threshold"]
        if neg_threshold is None:
            neg_threshold = max(parameters["threshold"] - 0.15, 0.01)
        track = make_track(rng, parameters["threshold"], neg_threshold)
        missing = rng.choice([0, rng.randrange(WINDOW), WINDOW - 1]) if track else 0
        total = len(track) * WINDOW - missing
        case = {
            "parameters": parameters,
            "total": total,
            "track": "".join(chr(48 + level) for level in track),
            "segments": answer(parameters, track, total),
        }
        lines.append(json.dumps(case, separators=(",", ":")))
    path = Path(__file__).with_name("segmenter_cases.jsonl.gz")
    with open(path, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as packed:
        packed.write("\n".join(lines).encode())
    segments = sum(line.count("],[") + 1 for line in lines if not line.endswith('"segments":[]}'))
    print(f"{len(lines)} cases, {segments} segments, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
