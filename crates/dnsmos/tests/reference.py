#!/usr/bin/env python3
"""Prints the scores of the package speechmos for WAV files (16 bits, 16 kHz, mono), for reference.rs.

    pip install speechmos==0.0.1.1 librosa pandas tqdm requests onnxruntime
    crates/dnsmos/tests/reference.py fixtures/speech/pauses.wav fixtures/speech/pauses.wav:8000:24000:1 \
        fixtures/speech/pauses.wav:0:106243:5 fixtures/speech/wav_s16_16k_mono.wav

A file may be followed by :START:END:REPETITIONS, the first two in samples.
"""
import sys
import wave

import numpy as np
from speechmos import dnsmos

for argument in sys.argv[1:]:
    name, *span = argument.split(":")
    with wave.open(name) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2), name
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    start, end, repetitions = (int(value) for value in span) if span else (0, len(samples), 1)
    scores = dnsmos.run(np.tile(samples[start:end], repetitions), 16000)
    figures = ", ".join(f"{scores[key]:.4f}" for key in ("sig_mos", "bak_mos", "ovrl_mos"))
    print(f'("{name.rpartition("/")[2]}", {start}, {end}, {repetitions}, [{figures}]),')
