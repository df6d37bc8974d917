#!/usr/bin/env python3
"""Measures the effect of damage on recordings: benches/damage.py [PROGRAM]

For each format, this makes a recording of 10 minutes from fixtures/long, overwrites 1, 10 and 100 kB with noise at five
positions, and prints a section of docs/formats.md: the missing seconds, and the displacement of the segments that are 5 s or more away
from the damage, compared with the undamaged file. Both are maxima over the five positions. For comparison, it has the same
figures for ffmpeg's output, segmented by the same program. Needs ffmpeg.

  cargo build --release
  benches/damage.py target/release/prepare-audio >> docs/formats.md           after benches/formats.py has written the rest
"""
import json, os, pathlib, sqlite3, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/prepare-audio")
FORMATS = {
    "FLAC": ("flac", ["-c:a", "flac"]),
    "FLAC in Ogg": ("oga", ["-c:a", "flac"]),
    "ALAC in MP4": ("m4a", ["-c:a", "alac"]),
    "MP3, 64 kbit/s": ("mp3", ["-ar", "44100", "-c:a", "libmp3lame", "-b:a", "64k"]),
    "MP3, variable": ("mp3", ["-ar", "44100", "-c:a", "libmp3lame", "-q:a", "4"]),
    "AAC in MP4": ("m4a", ["-ar", "44100", "-c:a", "aac", "-b:a", "64k"]),
    "AAC, fragmented MP4": ("mp4", ["-ar", "44100", "-c:a", "aac", "-b:a", "64k", "-movflags", "+frag_keyframe+empty_moov",
                                    "-frag_duration", "2000000"]),
    "AAC, bare (ADTS)": ("aac", ["-ar", "44100", "-c:a", "aac", "-b:a", "64k"]),
    "Vorbis in Ogg": ("ogg", ["-ar", "44100", "-c:a", "libvorbis", "-q:a", "4"]),
    "Opus in Ogg": ("opus", ["-c:a", "libopus", "-b:a", "32k"]),
    "Opus in Matroska": ("mka", ["-c:a", "libopus", "-b:a", "32k"]),
    "Vorbis in WebM": ("webm", ["-ar", "44100", "-c:a", "libvorbis", "-q:a", "4"]),
}
HEAD = """
## Damage

Noise over 1, 10 and 100 kB of a recording of 10 minutes, at 10, 30, 50, 70 and 90% of the file. Made by `benches/damage.py`.
*Missing* is the audio that is replaced by silence or cut off at the end. *Displaced* is the largest shift of a segment that
is 5 s or more away from the damage. Both are the maxima over the five positions. Beside them is ffmpeg's decode of the same
file, where missing audio shortens the recording; 99 means that no segment is left.
"""
PLACES = [0.1, 0.3, 0.5, 0.7, 0.9]
SECONDS = 600


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "quiet", "-y", *map(str, args)], check=False)


def noise(length):
    state, out = 7, bytearray()
    for _ in range(length):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(state >> 16 & 0xFF)
    return bytes(out)


def prepare(files, work):
    """Length, gaps and segments of each file."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        queue = pathlib.Path(folder) / "queue.db"
        subprocess.run([PROGRAM, "fetch", *map(str, files), "--database", f"sqlite://{queue}", "--output", folder + "/out", "--no-audio",
                        "--quiet", "--decoder", "symphonia"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rows, found = sqlite3.connect(queue), {}
        for id, source, length, gaps in rows.execute("SELECT id, source, duration_s, gaps FROM recording"):
            cuts = rows.execute("SELECT start_s, end_s FROM segment WHERE recording_id = ? ORDER BY 1", (id,)).fetchall()
            found[os.path.basename(source)] = (length or 0.0, json.loads(gaps or "[]"), cuts)
    return found


def displaced(whole, cuts, begin, end):
    """The maximum displacement, in seconds, of the segments that are 5 s or more away from the damage; 99 if none is left."""
    maximum = 0.0
    for first, last in whole:
        if last < begin - 5 or first > end + 5:
            near = min((abs(first - s) + abs(last - e)) / 2 for s, e in cuts) if cuts else 99.0
            maximum = max(maximum, near)
    return maximum


def main():
    print(HEAD)
    print("| format | overwritten | missing, s | ffmpeg | displaced, s | ffmpeg |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for name, (extension, options) in FORMATS.items():
            path = work / f"whole.{extension}"
            ffmpeg("-stream_loop", -1, "-i", ROOT / "fixtures/long/speech.flac", "-t", SECONDS, *options, path)
            data = path.read_bytes()
            length, _, whole = prepare([path], work)[path.name]
            for size in (1_000, 10_000, 100_000):
                files, decoded = [], []
                for place in PLACES:
                    damaged = bytearray(data)
                    at = int(len(data) * place)
                    damaged[at:at + size] = noise(size)
                    file = work / f"{int(place * 10)}.{extension}"
                    file.write_bytes(bytes(damaged[:len(data)]))
                    wav = work / f"{int(place * 10)}.wav"
                    wav.unlink(missing_ok=True)
                    ffmpeg("-i", file, "-ar", 16000, "-ac", 1, wav)
                    files.append(file)
                    decoded.append(wav)
                ours, theirs = prepare(files, work), prepare([wav for wav in decoded if wav.exists()], work)
                lost, lost_by_ffmpeg, moved, moved_by_ffmpeg = 0.0, 0.0, 0.0, 0.0
                for place, file, wav in zip(PLACES, files, decoded):
                    (own, gaps, cuts), (other, _, others) = ours.get(file.name, (0, [], [])), theirs.get(wav.name, (0, [], []))
                    lost = max(lost, sum(end - start for start, end in gaps) + max(0.0, length - own))
                    lost_by_ffmpeg = max(lost_by_ffmpeg, length - other)
                    # The bitrate of some formats varies, so that the gaps tell more exactly where the damage is.
                    begin, end = length * place, length * (place + size / len(data))
                    if gaps:
                        begin, end = min(begin, gaps[0][0]), max(end, gaps[-1][1])
                    moved = max(moved, displaced(whole, cuts, begin, end))
                    moved_by_ffmpeg = max(moved_by_ffmpeg, displaced(whole, others, begin, end))
                print(f"| {name} | {size // 1000} kB | {lost:.2f} | {lost_by_ffmpeg:.2f} | {moved:.3f} | {moved_by_ffmpeg:.3f} |", flush=True)


if __name__ == "__main__":
    main()
