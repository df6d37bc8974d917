#!/usr/bin/env python3
"""Decodes every fixture with this program and with ffmpeg, and prints a table of the differences. Needs only ffmpeg.

  cargo build --release --example decode
  benches/formats.py target/release/examples/decode > docs/formats.md         --no-speed leaves the long files out
  benches/damage.py target/release/prepare-audio >> docs/formats.md

Counts are sample frames. The signal-to-noise ratio is that of our samples against ffmpeg's at lag 0; `exact` means equal to
the last bit. Speed is measured on two minutes of the same format, with one thread, alternately, best of three: seconds of
audio per second of CPU time.
"""
import argparse
import array
import json
import math
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "fixtures"))
sys.dont_write_bytecode = True
import formats  # noqa: E402

LOSSLESS = ("pcm", "flac", "alac", "wavpack", "tta", "adpcm")
SECONDS = 120
NOTES = """
- `chained_vorbis.ogg` has two equal links, which decode to equal samples here. ffmpeg also outputs 256 start-up frames of the second link.
- `he_aac_48k.m4a`: without ffmpeg, only the core is decoded, at half the rate and with the same timing.
- Opus is compared with libopus through ffmpeg, which outputs 16 bits; this limits the ratio to about 80 dB. ffmpeg's own decoder differs from
  libopus by 12 to 15 dB where speech is coded at low rates.
- Opus chains: the start-up frames of each link are removed, as RFC 7845 requires; ffmpeg outputs those of all links except the first.
- AAC: the encoder's delay is skipped if an edit list or iTunes's metadata declares it. Without either (bare ADTS, Matroska, and MP4
  files in which ffmpeg delays the audio), the delay is part of the audio, and `start_offset_s` is the time of its first frame, as in
  ffmpeg.
- MP4 edit lists of several parts: ffmpeg decodes whole packets at the joints. Here the parts begin exactly where the list has them.

## Files without a header

`--raw FORMAT:RATE:CHANNELS` names the format of samples without a header. Decoded samples equal those of ffmpeg.

| FORMAT | samples |
| --- | --- |
| `u8`, `s8` | 8-bit integers, unsigned or signed |
| `s16le`, `s16be`, `s24le`, `s24be`, `s32le`, `s32be` | signed integers, little-endian or big-endian |
| `f32le`, `f32be`, `f64le`, `f64be` | floating point, full scale 1.0 |
| `alaw`, `ulaw` (or `mulaw`) | G.711 |
| `vox` | Dialogic (OKI) ADPCM, 4 bits, one channel; usually 6,000 or 8,000 Hz |"""


def cpu(command):
    """The finished command with its output, and its CPU seconds with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def floats(data):
    samples = array.array("f", data[:len(data) // 4 * 4])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def ours(binary, path):
    done, seconds = cpu([binary, path])
    if done.returncode:
        return None, [], done.stderr.decode(errors="replace").splitlines()[0], seconds
    return json.loads(done.stderr.decode().splitlines()[-1]), floats(done.stdout), "", seconds


def theirs(path, is_opus):
    # libopus decodes Opus, as in this program. ffmpeg's own decoder resamples speech differently.
    decoder = ["-c:a", "libopus"] if is_opus else []
    command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", *decoder, "-i", path, "-map", "0:a:0", "-f", "f32le", "-"]
    done, seconds = cpu(command)
    return floats(done.stdout), seconds


def snr(got, want, shift=0):
    """The signal-to-noise ratio of `got` from sample `shift` on, in dB; None if both are equal."""
    pairs = list(zip(got[max(shift, 0):], want[max(-shift, 0):]))
    noise = math.fsum((g - w) ** 2 for g, w in pairs)
    signal = math.fsum(w * w for _, w in pairs)
    return None if noise == 0 else 10 * math.log10(max(signal, 1e-30) / noise)


def lag(got, want, channels):
    """The delay of `got` in frames: the shift with the best correlation, over the loudest tenth of a second."""
    got, want = got[::channels], want[::channels]
    size = min(4800, len(want) // 2)
    loud = max(range(0, len(want) - size, size // 2), key=lambda at: sum(map(abs, want[at:at + size])))
    piece = want[loud:loud + size:3]

    def match(shift):
        other = got[loud + shift:loud + shift + size:3]
        return sum(a * b for a, b in zip(piece, other)) if len(other) == len(piece) else -math.inf

    return max((s for s in range(-1500, 1501) if loud + s >= 0), key=match)


def speed(binary, path, is_opus):
    """Speed as a multiple of real time, of this program and of ffmpeg: best of three, alternately."""
    both = [min(times) for times in zip(*((ours(binary, path)[3], theirs(path, is_opus)[1]) for _ in range(3)))]
    return [SECONDS / seconds for seconds in both]


def row(binary, path, long):
    facts, got, trouble, _ = ours(binary, path)
    name = path.relative_to(REPO / "fixtures").as_posix()
    if facts is None:
        return [name, "", "", "", "", trouble, "", "", ""]
    is_opus, channels = facts["codec"] == "opus", facts["channels"]
    want, _ = theirs(path, is_opus)
    ratio = snr(got, want)
    lossless = any(facts["codec"].removeprefix("ffmpeg:").startswith(kind) for kind in LOSSLESS)
    good = len(got) == len(want) and (ratio is None or (not lossless and ratio > 60))
    shift = 0 if ratio is None or ratio > 60 else lag(got, want, channels)
    speeds = ["", "", ""]
    if long:
        here, there = speed(binary, long, is_opus)
        speeds = [f"{here:.0f}", f"{there:.0f}", f"{here / there:.2f}"]
    agreement = "exact" if ratio is None else f"{ratio:.0f} dB"
    codec = f"{facts['container']} / {facts['codec']}"
    return [name, codec, len(got) // channels, len(want) // channels, shift, agreement, *speeds, "" if good else "differs"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--no-speed", action="store_true")
    args = parser.parse_args()
    folders = [REPO / "fixtures" / name for name in ("speech", "formats")]
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.is_file())
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    print(f"# Formats\n\n{len(files)} files, against ffmpeg {version}. Made by `benches/formats.py`, whose head explains the columns.\n")
    head = ["file", "container / codec", "frames", "ffmpeg's", "lag", "against ffmpeg", "x real time", "ffmpeg's", "ratio", ""]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            long = None
            if not args.no_speed and path.name in formats.FORMATS:
                long = Path(folder) / path.name
                formats.make(long, SECONDS)
            cells = row(args.binary.resolve(), path, long)
            differ += cells[-1] == "differs" or cells[1] == ""
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            if long:
                long.unlink()
    print(f"\n{len(files) - differ} of {len(files)} agree in count and content.")
    print(NOTES)


if __name__ == "__main__":
    main()
