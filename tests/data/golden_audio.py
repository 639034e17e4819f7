"""Writes `audio.json`: what librosa 0.11.0 makes of a signal in f64; and `sounds/*.wav` by libsndfile, of every sample format."""

import json
from pathlib import Path

import librosa
import numpy as np
import soundfile

HERE = Path(__file__).parent
RATE = 8000


def signal(n):
    """A tone that rises, and noise of a linear congruential generator: whole 16-bit samples, the same in any language."""
    state, out = 12345, []
    for i in range(n):
        state = (1664525 * state + 1013904223) % 2**32
        ramp = (i * (20 + i // 40)) % 256  # a sawtooth whose pitch rises
        out.append((ramp - 128) * 100 + (state >> 20) - 2048)
    return np.array(out, dtype=np.float64) / 32768


def rounded(array):
    return [float(f"{v:.9g}") for v in np.asarray(array, dtype=np.float64).ravel()]


def mel(y, **more):
    return librosa.feature.melspectrogram(y=y, sr=RATE, dtype=np.float64, **more)


y = signal(1500)
power = {"n_fft": 256, "hop_length": 150}
out = {
    "window_hamming_5": rounded(librosa.filters.get_window("hamming", 5)),
    "stft": [],
    "filters": {
        name: rounded(librosa.filters.mel(sr=RATE, n_fft=128, n_mels=8, dtype=np.float64, **settings))
        for name, settings in {
            "slaney": {},
            "htk": {"htk": True},
            "plain": {"norm": None, "fmin": 200.0, "fmax": 3000.0},
        }.items()
    },
    "mel": rounded(mel(y, n_fft=256, hop_length=150, n_mels=20)),
    "mel_htk_magnitude": rounded(mel(y, n_fft=256, hop_length=150, n_mels=10, htk=True, power=1.0, norm=None, center=False)),
    "db": rounded(librosa.power_to_db(mel(y, n_fft=256, hop_length=150, n_mels=20), ref=0.5, top_db=30.0)),
    "mfcc": rounded(librosa.feature.mfcc(y=y, sr=RATE, n_fft=256, hop_length=150, n_mels=40, dtype=np.float64)),
    "mfcc_default": rounded(librosa.feature.mfcc(y=y, sr=RATE, dtype=np.float64)),
}
for settings in [
    {"n_fft": 64, "hop_length": 300, "window": "hann"},
    {"n_fft": 64, "hop_length": 300, "window": "hamming", "win_length": 40, "pad_mode": "reflect"},
    {"n_fft": 63, "hop_length": 301, "window": "boxcar", "center": False},
    {"n_fft": 45, "hop_length": 299, "window": "hann", "win_length": 20, "center": True},
]:
    magnitude = np.abs(librosa.stft(y=y, dtype=np.complex128, **settings))
    out["stft"].append({"settings": settings, "shape": magnitude.shape, "magnitude": rounded(magnitude)})

stereo = np.stack([signal(25), -signal(25)[::-1] / 2], axis=1)
stereo[3] = [1.0, -1.0]  # the largest and the smallest
for name in ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"]:
    path = HERE / "sounds" / f"{name.lower()}.wav"
    soundfile.write(path, stereo, 11025, subtype=name)
    out[name.lower()] = rounded(soundfile.read(path, dtype="float64")[0].T)
(HERE / "audio.json").write_text(json.dumps(out))
