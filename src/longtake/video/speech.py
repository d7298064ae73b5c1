"""Speech of a video -> cues, by faster-whisper (extra ``[asr]``).

Owns the sound's way to the recogniser (16 kHz mono on the video clock, piece by piece) and back. The weights come
from the recogniser's own download or from a folder; nothing is bundled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from ..errors import MissingExtraError, VideoDecodeError, VideoError
from ..store import Journal, cache_dir, digest
from ..types import JSON, Cue, TimeSpan
from .decode import Video
from .workers import nothing

__all__ = ["Recogniser", "Spoken", "Whisper", "available", "sound", "transcribe"]

VERSION = 1
RATE = 16_000
"""Samples a second, what Whisper takes."""
PIECE_SECONDS = 600
"""Sound is recognised in pieces: bounded memory (38 MB), and an interrupted pass loses one piece at most."""
_SEAM_SECONDS = 10
_MAX_GAP_SECONDS = 0.1

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something said from ``start`` to ``end`` seconds after the first sample of a piece."""

    start: float
    end: float
    text: str


class Recogniser(Protocol):
    """Sound in, what is said out. ``name`` tells recognisers apart whose results differ."""

    @property
    def name(self) -> str: ...

    def recognise(self, samples: Samples) -> Iterable[Spoken]:
        """``samples`` float32 (N,) in [-1, 1], mono, 16 kHz."""
        ...


def available() -> bool:
    """Whether the ``[asr]`` extra is installed; loads nothing."""
    return find_spec("faster_whisper") is not None


class Whisper:
    """faster-whisper with the weights ``model``: a size (tiny, base, small, medium, large-v3, turbo) or a folder.

    The weights are loaded at the first sound. Raises `MissingExtraError` without the extra."""

    def __init__(self, model: str = "small") -> None:
        if not available():
            raise MissingExtraError("recognising speech needs the asr extra: pip install 'longtake[asr]'")
        self.name = model
        self._model: Any = None

    def recognise(self, samples: Samples) -> Iterator[Spoken]:
        if self._model is None:
            self._model = self._load()
        said, _ = self._model.transcribe(samples, vad_filter=True)
        for part in said:
            yield Spoken(float(part.start), float(part.end), str(part.text))

    def _load(self) -> Any:
        whisper: Any = import_module("faster_whisper")
        try:
            return whisper.WhisperModel(self.name)
        except (OSError, ValueError, RuntimeError) as e:
            raise VideoError(
                f"the speech model {self.name!r} cannot be loaded: {e}; use a size that faster-whisper knows on a"
                " machine that reaches its download, or copy the weights here and give their folder"
            ) from e


def transcribe(
    video: Video,
    recogniser: Recogniser,
    on_progress: Callable[[int, int], None] | None = None,
    check: Callable[[], None] = nothing,
) -> tuple[Cue, ...]:
    """What is said in the first sound track of ``video``, in order of time; () if it has none.

    ``on_progress(done, total)`` counts seconds of sound. ``check`` is called at every sentence and may raise;
    interrupted, the next call goes on with the piece it was at. Raises `VideoDecodeError` if the sound cannot be
    decoded."""
    if not video.info.has_audio:
        return ()
    key = digest([VERSION, PIECE_SECONDS, recogniser.name])[:16]
    journal = Journal(cache_dir("text", video.info.fingerprint) / f"speech-{key}.jsonl")
    known = journal.load()
    total = round(video.info.duration_seconds)
    cues: list[Cue] = []
    for start, samples in sound(video.path):
        check()
        at = round(start, 6)
        if at not in known:
            said: list[JSON] = []
            for spoken in recogniser.recognise(samples):
                check()
                said.append(asdict(spoken))
            known[at] = said
            journal.add(at, known[at])
        cues += _cues(known[at], start, video.info.duration_seconds)
        if on_progress:
            on_progress(min(total, round(start + len(samples) / RATE)), total)
    return tuple(sorted(cues, key=lambda cue: cue.span))


def _cues(stored: Any, start: float, duration_seconds: float) -> Iterator[Cue]:
    """Cues on the video clock of what was said in the piece that starts at ``start``."""
    for spoken in (Spoken(**entry) for entry in stored):
        begin, end = max(0.0, start + spoken.start), min(start + spoken.end, duration_seconds)
        if (text := " ".join(spoken.text.split())) and begin < end:
            yield Cue(TimeSpan(begin, end), text, "speech")


def sound(path: Path) -> Iterator[tuple[float, Samples]]:
    """(start second on the video clock, samples float32 at 16 kHz mono) of consecutive pieces of about 10 minutes.

    Pieces are cut where it is quietest in their last 10 s, so that words stay whole. Gaps in the track are filled
    with silence, so that what follows keeps its time. Raises `VideoDecodeError`."""
    waiting: list[Samples] = []
    num_waiting, start = 0, 0.0
    for seconds, samples in _decoded(path):
        if not waiting:
            start = seconds
        waiting.append(samples)
        num_waiting += len(samples)
        if num_waiting >= PIECE_SECONDS * RATE:
            joined = np.concatenate(waiting)
            cut = _quietest(joined)
            yield start, joined[:cut]
            start, waiting, num_waiting = start + cut / RATE, [joined[cut:]], len(joined) - cut
    if num_waiting:
        yield start, np.concatenate(waiting)


def _quietest(samples: Samples) -> int:
    """Position of the middle of the quietest tenth of a second in the last `_SEAM_SECONDS`."""
    step = RATE // 10
    tail = samples[-_SEAM_SECONDS * RATE :]
    tenths = tail[: len(tail) // step * step].reshape(-1, step)
    return len(samples) - len(tail) + int(np.square(tenths).mean(axis=1).argmin()) * step + step // 2


def _decoded(path: Path) -> Iterator[tuple[float, Samples]]:
    """(second on the video clock, samples) as decoded, without holes. Packets that are damaged are left out."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            origin = Fraction(container.start_time or 0, av.time_base)
            time_base = stream.time_base or Fraction(1, av.time_base)
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            position: float | None = None  # where the next sample belongs
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    continue
                for frame in frames:
                    if frame.pts is None:
                        continue
                    seconds = float(frame.pts * time_base - origin)
                    position = seconds if position is None else position
                    if seconds - position > _MAX_GAP_SECONDS:
                        silence = np.zeros(round((seconds - position) * RATE), np.float32)
                        yield position, silence
                        position += len(silence) / RATE
                    for part in resampler.resample(frame):
                        samples = part.to_ndarray().reshape(-1).astype(np.float32, copy=False)
                        yield position, samples
                        position += len(samples) / RATE
    except FFmpegError as e:
        raise VideoDecodeError(f"the sound of {path} cannot be decoded: {e}") from e
