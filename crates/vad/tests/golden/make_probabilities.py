"""Makes probabilities.csv: the official package's probabilities for a synthetic signal, computed with integers.

    python make_probabilities.py        needs silero-vad 6.2.3 with onnxruntime

tests/all/native_engine.rs computes the same signal, so that no audio file is needed. It is a pulse train of changing pitch
through three resonances that move from vowel to vowel, with pauses of faint noise between the syllables.
"""

from pathlib import Path

import numpy as np
import torch
from silero_vad import load_silero_vad

SECONDS = 30
RATE = 16000
SYLLABLE = 3200
DAMPING = 15700  # r * r of a resonance, in units of 1 / 16384
# 2 * r * cos(2 pi f / 16000) of three resonances of six vowels, in the same units.
VOWELS = [
    [30763, 29167, 18450],
    [31897, 19906, 12132],
    [31856, 30198, 20449],
    [31386, 24080, 17999],
    [31282, 30334, 18755],
    [30991, 25026, 18755],
]


def signal() -> np.ndarray:
    samples, seed, phase = [], 1, 0
    resonances = [(0, 0)] * 3
    for n in range(SECONDS * RATE - 100):  # the last window is incomplete
        syllable, place = divmod(n, SYLLABLE)
        seed = (seed * 1103515245 + 12345) % 2**31
        noise = (seed >> 16) % 256 - 128
        voiced = syllable % 7 != 6 and syllable % 31 < 23
        phase += 90 + 15 * (syllable % 5) + place // 100
        pulse = 0
        if phase >= RATE:
            phase -= RATE
            pulse = min(place, SYLLABLE - place) if voiced else 0
        sample = noise >> 4
        for k in range(3):
            here, next_one = VOWELS[syllable % 6][k], VOWELS[(syllable + 1) % 6][k]
            tuning = (here * (SYLLABLE - place) + next_one * place) // SYLLABLE
            last, before = resonances[k]
            new = ((tuning * last - DAMPING * before) >> 14) + pulse * (3 - k) + (noise >> 5)
            resonances[k] = (new, last)
            sample += new
        samples.append(max(-32768, min(32767, sample)))
    return np.array(samples, dtype=np.float32) / np.float32(32768)


def main() -> None:
    model = load_silero_vad(onnx=True)
    samples = torch.from_numpy(signal())
    probabilities = model.audio_forward(samples, RATE).flatten().tolist()
    path = Path(__file__).with_name("probabilities.csv")
    path.write_text("".join(f"{probability:.9f}\n" for probability in probabilities))
    spread = np.histogram(probabilities, bins=10, range=(0, 1))[0]
    print(f"{len(probabilities)} windows, histogram {spread.tolist()}, peak {samples.abs().max():.3f}")


if __name__ == "__main__":
    main()
