#!/usr/bin/env python3
"""Measures the errors of snr_db and bandwidth_hz, and what denoising gains, for docs/quality.md. Needs numpy and ffmpeg.

    benches/quality.py target/release/prepare-audio [../shared/audio]

Speech is mixed with white noise, babble (12 voices, half of them reversed) and mains hum at 0 to 30 dB, over the speech's
active part. The true SNR of a segment is the power of the speech in its speech windows over that of the noise in the
segment. Recorded speech has noise of its own: the power of its windows with a probability below 0.1. It is counted as noise.

What denoising gains is told by the program's own figures, snr_db and denoised_snr_db, and by the scale-invariant
signal-to-distortion ratio (SI-SDR) of both files against the speech before noise was added, for mixtures at 5 dB.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import wave
import zlib
from pathlib import Path

import numpy as np

RATE = 16_000
WINDOW = 512
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
LEVELS = [0, 10, 20, 30]
DENOISED_LEVEL = 5


def load(path, rate=RATE):
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-ac", "1", "-ar", str(rate), "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, "<f4").astype(float)


def save(path, samples, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.clip(np.round(samples * 32_768), -32_768, 32_767).astype("<i2").tobytes())


def powers(samples):
    return samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW).var(axis=1)


def babble(voices, length, rng):
    total = np.zeros(length)
    for number in range(12):
        voice = voices[number % len(voices)]
        voice = voice[::-1] if number % 4 < 2 else voice
        voice = np.roll(voice / voice.std(), rng.integers(len(voice)))
        total += np.resize(voice, length)
    return total


def hum(length):
    time = np.arange(length) / RATE
    parts = [(1, 1), (2, 0.5), (3, 0.4), (5, 0.2), (7, 0.1)]
    return sum(part * np.sin(2 * np.pi * 50 * k * time + k) for k, part in parts)


def mixtures(speech, folder, levels):
    rng = np.random.default_rng(7)
    clean = {}
    for name, samples in speech.items():
        loud = powers(samples)
        active = loud[loud > np.percentile(loud, 95) / 1000].mean()
        save(folder / f"{name}_clean.wav", samples)
        noises = {
            "white": rng.standard_normal(len(samples)),
            "babble": babble(list(speech.values()), len(samples), rng),
            "hum": hum(len(samples)),
        }
        for kind, noise in noises.items():
            for level in levels:
                scaled = noise / noise.std() * np.sqrt(active / 10 ** (level / 10))
                gain = min(1, 0.9 / np.abs(samples + scaled).max())
                path = folder / f"{name}_{kind}_{level}.wav"
                save(path, (samples + scaled) * gain)
                clean[path.name] = (powers(samples * gain), powers(scaled * gain), gain)
    return clean


def rows(program, folder, *options):
    database = folder / "queue.db"
    options = options or ["--no-audio"]
    command = [program, "fetch", "--quiet", "--database", f"sqlite://{database}", folder, *options]
    subprocess.run(command, check=True)
    with sqlite3.connect(database) as connection:
        sources = connection.execute(
            "SELECT r.source, p.windows, p.data, json_group_array(json_array(s.start_sample, s.end_sample, s.snr_db,"
            " s.bandwidth_hz, s.denoised_snr_db, s.path, s.denoised_path)) FROM recording r JOIN probabilities p ON p.recording_id = r.id"
            " JOIN segment s ON s.recording_id = r.id GROUP BY r.id").fetchall()
    for source, windows, data, segments in sources:
        planes = np.frombuffer(zlib.decompress(data), "u1").reshape(4, windows)
        yield Path(source).name, planes.T.copy().reshape(-1).view("<f4"), json.loads(segments)


def snr_errors(program, speech):
    errors = {}
    with tempfile.TemporaryDirectory() as folder:
        clean = mixtures(speech, Path(folder), LEVELS)
        found = list(rows(program, Path(folder)))
        own = {}
        for name, probabilities, _ in found:
            if name.endswith("_clean.wav"):
                power = powers(speech[name.removesuffix("_clean.wav")])
                own[name.removesuffix("_clean.wav")] = power[probabilities[: len(power)] < 0.1].mean()
        for name, probabilities, segments in found:
            if name not in clean:
                continue
            voice, noise, gain = clean[name]
            own_noise = own[name.split("_")[0]] * gain**2
            for start, end, snr, *_ in segments:
                span = slice(start // WINDOW, min(-(-end // WINDOW), len(voice)))
                spoken = probabilities[span][: len(voice[span])] >= 0.5
                power = voice[span][spoken].mean() - own_noise
                true = 10 * np.log10(power / (noise[span].mean() + own_noise))
                errors.setdefault(name.removesuffix(".wav"), []).append((snr - true, end - start))
    print("| speech | noise | " + " | ".join(f"{level} dB" for level in LEVELS) + " |")
    print("| --- | --- |" + " --- |" * len(LEVELS))
    for name in speech:
        for kind in ["white", "babble", "hum"]:
            cells = []
            for level in LEVELS:
                found = np.array(errors.get(f"{name}_{kind}_{level}", []))
                if not len(found):
                    cells.append("no speech found")
                    continue
                mean = (found[:, 0] * found[:, 1]).sum() / found[:, 1].sum()
                cells.append(f"{mean:+.1f} ({np.abs(found[:, 0]).max():.1f}; {len(found)})")
            print(f"| {name} | {kind} | " + " | ".join(cells) + " |")


def si_sdr(speech, path):
    """10 log10 of the power of the speech in a file over the power of all else."""
    found = load(path)
    target = (found @ speech) / (speech @ speech) * speech
    return 10 * np.log10((target @ target) / ((found - target) @ (found - target)))


def denoising(program, speech):
    print(f"\n| speech | noise at {DENOISED_LEVEL} dB | `snr_db` | `denoised_snr_db` | gain | SI-SDR | denoised | gain |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mixtures(speech, folder, [DENOISED_LEVEL])
        found = rows(program, folder, "--denoise", "rnnoise", "--output", folder / "out")
        for name, _, segments in sorted(found, key=lambda row: row[0]):
            voice, noise, *_ = name.split("_")
            if noise == "clean.wav":
                continue
            figures, lengths = [], []
            for start, end, snr, _, denoised_snr, path, denoised in segments:
                clean = speech[voice][start:end]
                figures.append([snr, denoised_snr, si_sdr(clean, path), si_sdr(clean, denoised)])
                lengths.append(end - start)
            snr, denoised_snr, sdr, denoised_sdr = np.average(figures, axis=0, weights=lengths)
            cells = [snr, denoised_snr, denoised_snr - snr, sdr, denoised_sdr, denoised_sdr - sdr]
            print(f"| {voice} | {noise} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")


BANDWIDTHS = [
    # name, rate of the narrow file, its codec, what it is then put into
    ("8 kHz in a 48 kHz WAV", 8_000, "pcm_s16le", "wav", ["-ar", "48000"]),
    ("8 kHz mu-law in a 48 kHz WAV", 8_000, "pcm_mulaw", "wav", ["-ar", "48000"]),
    ("8 kHz mu-law in a 48 kHz MP3", 8_000, "pcm_mulaw", "mp3", ["-ar", "48000", "-b:a", "64k"]),
    ("8 kHz in a 44.1 kHz AAC", 8_000, "pcm_s16le", "m4a", ["-ar", "44100", "-b:a", "64k"]),
    ("8 kHz, 30 dB quieter, in a 48 kHz WAV", 8_000, "pcm_s16le", "wav", ["-af", "volume=-30dB", "-ar", "48000"]),
    ("11.025 kHz in a 44.1 kHz WAV", 11_025, "pcm_s16le", "wav", ["-ar", "44100"]),
    ("12 kHz in a 48 kHz WAV", 12_000, "pcm_s16le", "wav", ["-ar", "48000"]),
    ("16 kHz in a 48 kHz WAV", 16_000, "pcm_s16le", "wav", ["-ar", "48000"]),
]


# Rates of narrow recordings, and the files that they are put into: rate, extension, options.
NARROW = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, None]
CONTAINERS = [
    ("WAV, 44.1 kHz", 44_100, "wav", []),
    ("WAV, 48 kHz", 48_000, "wav", []),
    ("MP3, 44.1 kHz, 64 kbit/s", 44_100, "mp3", ["-b:a", "64k"]),
    ("MP3, 48 kHz, 128 kbit/s", 48_000, "mp3", ["-b:a", "128k"]),
    ("MP3, 48 kHz, 320 kbit/s", 48_000, "mp3", ["-b:a", "320k"]),
]


def convert(source, target, *options):
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, "-ac", "1", *options, target], check=True)


def found_bandwidths(program, folder):
    return {name: [segment[3] for segment in segments] for name, _, segments in rows(program, folder)}


def speech_bandwidths(program, source):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number, (_, rate, codec, extension, options) in enumerate(BANDWIDTHS):
            narrow = folder / "narrow.wav"
            convert(source, narrow, "-ar", str(rate), "-c:a", codec)
            convert(narrow, folder / "in" / f"{number}.{extension}", *options)
        found = found_bandwidths(program, folder / "in")
    print("\n| speech | ends at | median | least | most |\n| --- | --- | --- | --- | --- |")
    for number, (text, rate, _, extension, _) in enumerate(BANDWIDTHS):
        values = found[f"{number}.{extension}"]
        print(f"| {text} | {rate / 2:,.0f} | {np.median(values):,.0f} | {min(values):,.0f} | {max(values):,.0f} |")


def noise_bandwidths(program, source):
    """Speech with white noise 30 dB below it, both at a narrow rate, and then put into a file of a higher rate."""
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for narrow in NARROW:
            for number, (_, rate, extension, options) in enumerate(CONTAINERS):
                samples = load(source, narrow or rate)
                samples += rng.standard_normal(len(samples)) * samples.std() / 30
                save(folder / "narrow.wav", samples, narrow or rate)
                convert(folder / "narrow.wav", folder / "in" / f"{narrow} {number}.{extension}", "-ar", str(rate), *options)
        found = found_bandwidths(program, folder / "in")
    print("\n| ends at | " + " | ".join(text for text, *_ in CONTAINERS) + " |")
    print("| --- |" + " --- |" * len(CONTAINERS))
    for narrow in NARROW:
        cells = []
        for number, (_, _, extension, _) in enumerate(CONTAINERS):
            values = found[f"{narrow} {number}.{extension}"]
            cells.append(f"{np.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})")
        print(f"| {f'{narrow / 2:,.0f}' if narrow else 'half the rate'} | " + " | ".join(cells) + " |")


def main():
    program = Path(sys.argv[1]).resolve()
    speech = {"synthetic": load(FIXTURES / "long/speech.flac")}
    source = FIXTURES / "long/speech.flac"
    if len(sys.argv) > 2:
        shared = Path(sys.argv[2])
        source = shared / "silero_test_60s.wav"
        speech["recorded"] = load(source)
        speech["broadcast"] = load(shared / "jfk_16k_mono.wav")
    snr_errors(program, speech)
    denoising(program, speech)
    speech_bandwidths(program, source)
    noise_bandwidths(program, source)


if __name__ == "__main__":
    main()
