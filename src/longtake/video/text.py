"""`TimedText`: everything that can be read or heard in a video, as cues with times, searchable.

Owns which sources there are and keeping what was read. How each source is read is in `subtitles`, `ocr` and
`speech`, how it is searched in `cue_index`. Nothing is read before it is asked for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, MissingExtraError, VideoError
from ..store import cache_dir, digest, kept
from ..types import JSON, Cue, CueList, Source, TimeSpan
from . import ocr, speech
from .cue_index import CueIndex, Hit
from .subtitles import find_sidecar, is_text_track, read_embedded, read_sidecar

if TYPE_CHECKING:
    from .decode import Video

__all__ = ["Hit", "TimedText"]

log = logging.getLogger(__name__)

VERSION = 1
"""Of the cues kept on disk; a change makes them be read anew."""
_SOURCES: tuple[Source, ...] = ("subtitles", "screen", "speech")
_DOING: dict[Source, str] = {
    "subtitles": "reading the subtitles",
    "screen": "reading the writing in the picture, scene frame",
    "speech": "listening, second",
}


class TimedText:
    """The timed text of one video. Safe to share among threads; a source is read by one of them, the others wait.

    ``ocr`` and ``asr`` allow reading the pictures and hearing the sound; both need their extra. ``asr_model`` is a
    Whisper size or a folder with weights. ``language`` (two letters) is preferred among several subtitles.

    Reading pictures and sound can take minutes and a thread cannot be killed: call `stop` when nobody waits for the
    words any more, as in the clean-up of a cancelled task."""

    def __init__(
        self,
        video: Video,
        *,
        ocr: bool = True,
        asr: bool = False,
        asr_model: str = "small",
        language: str | None = None,
    ) -> None:
        self._video = video
        self._ocr = ocr
        self._asr = asr
        self._asr_model = asr_model
        self._language = language
        self._locks = {source: threading.Lock() for source in _SOURCES}  # subtitles do not wait for the pictures
        self._read: dict[Source, CueList] = {}
        self._notes: dict[str, None] = {}
        self._stopped = threading.Event()
        self._index_lock = threading.Lock()
        self._indices: dict[tuple[Source, ...], CueIndex] = {}

    def sources(self) -> tuple[Source, ...]:
        """Which sources this video has in this installation, best first. Cheap: reads a file beside the video at most.

        A file the user named counts as subtitles unread. None where the video was opened without ``use_text``."""
        if not self._video.use_text:
            return ()
        has_subtitles = self._video.subtitles or self._beside.cues or self._tracks()
        allowed = {
            "subtitles": bool(has_subtitles),
            "screen": self._ocr and ocr.available(),
            "speech": self._asr and self._video.info.has_audio and speech.available(),
        }
        return tuple(source for source in _SOURCES if allowed[source])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found wrong in the sources read so far, one sentence each."""
        read = [warning for found in list(self._read.values()) for warning in found.warnings]
        return tuple(dict.fromkeys([*self._notes, *read]))

    def stop(self) -> None:
        """Ends what is being recognised at its next picture or sentence, with a `VideoError` where it is awaited.

        For good: this object recognises nothing afterwards. What was recognised is kept on disk, and another
        `TimedText` goes on there."""
        self._stopped.set()

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise VideoError(f"reading the words of {self._video.path} was stopped; ask again to go on where it was")

    def cues(self, source: Source, *, on_progress: ocr.Progress | None = None) -> tuple[Cue, ...]:
        """All cues of ``source`` in order of time; read or recognised once, then kept on disk by content.

        ``on_progress(done, total)`` counts pictures or seconds of sound, which is logged too. Raises
        `MissingExtraError` if the source needs an extra that is absent, `ConfigError` if it was switched off,
        `VideoError` if it cannot be read."""
        self._check(source)

        def report(done: int, total: int) -> None:
            log.info("%s: %d of %d", _DOING[source], done, total)
            if on_progress:
                on_progress(done, total)

        with self._locks[source]:
            if source not in self._read:
                readers = {"subtitles": self._subtitles, "screen": self._screen, "speech": self._speech}
                self._read[source] = readers[source](report)
            return self._read[source].cues

    def cues_in(self, span: TimeSpan, sources: Sequence[Source] | None = None) -> tuple[Cue, ...]:
        """Cues that share time with ``span``, of ``sources`` (default: all there are), in order of time."""
        wanted = self.sources() if sources is None else sources
        found = [cue for source in wanted for cue in self.cues(source) if cue.span.overlap(span) > 0]
        return tuple(sorted(found, key=lambda cue: cue.span))

    def search(
        self, query: str, *, sources: Sequence[Source] | None = None, limit: int = 8, span: TimeSpan | None = None
    ) -> tuple[Hit, ...]:
        """The cues that best match any of the words of ``query``, best first, at most ``limit``.

        Any string is safe; common English words are ignored unless there are no others. Words match in all their
        English forms and without their accents. ``span`` keeps cues that share time with it."""
        if limit < 1:
            raise ConfigError(f"limit must be at least 1, got {limit}")
        wanted = tuple(dict.fromkeys(self.sources() if sources is None else sources))
        read = [self.cues(source) for source in wanted]
        with self._index_lock:
            if wanted not in self._indices:
                self._indices[wanted] = CueIndex(sorted(chain(*read), key=lambda cue: cue.span))
        return self._indices[wanted].search(query, limit, span)

    def read_screen(self, seconds: Sequence[float]) -> tuple[Cue, ...]:
        """Text in exactly the pictures shown at ``seconds``, at full useful resolution; spans as in
        `ocr.read_moments`. Raises as `cues` does; damaged pictures are left out and named in `warnings`."""
        self._check("screen")
        found = ocr.read_moments(self._video, seconds, self._go_on)
        self._notes.update(dict.fromkeys(found.warnings))
        return found.cues

    # ------------------------------------------------------------------------------------------------- reading

    def _check(self, source: Source) -> None:
        if source not in _SOURCES:
            raise ConfigError(f"{source!r} is not a source of timed text; it is one of {', '.join(_SOURCES)}")
        if not self._video.use_text:
            raise ConfigError(f"{self._video.path} was opened with use_text=False; open it without that for its words")
        if (source == "screen" and not self._ocr) or (source == "speech" and not self._asr):
            switch = "ocr" if source == "screen" else "asr"
            raise ConfigError(f"the source {source!r} is switched off; make TimedText with {switch}=True to use it")
        if source == "screen" and not ocr.available():
            raise MissingExtraError("reading text in pictures needs the ocr extra: pip install 'longtake[ocr]'")
        if source == "speech" and not speech.available():
            raise MissingExtraError("recognising speech needs the asr extra: pip install 'longtake[asr]'")

    @cached_property
    def _beside(self) -> CueList:
        """What a file holds that lies beside the video unasked: one that cannot be read is no error, but said."""
        sidecar = find_sidecar(self._video.path, self._language)
        if sidecar is None:
            return CueList(())
        try:
            found = self._sidecar(sidecar)
        except VideoError as e:
            found = CueList((), (f"{e}; it is not used",))
        if not found.cues and not found.warnings:
            found = CueList((), (f"the subtitle file {sidecar} is empty; it is not used",))
        self._notes.update(dict.fromkeys(found.warnings))
        return found

    def _sidecar(self, path: Path) -> CueList:
        info = self._video.info
        return read_sidecar(path, stem=self._video.stem, duration_seconds=info.duration_seconds, chapters=info.chapters)

    def _tracks(self) -> bool:
        return any(is_text_track(track) for track in self._video.info.subtitle_tracks)

    def _subtitles(self, on_progress: ocr.Progress) -> CueList:
        """A file the user named, a file beside the video, a track inside it: the first there is.

        Files take milliseconds and are read each time; a track may mean reading gigabytes and is kept."""
        info, path = self._video.info, self._video.path
        if self._video.subtitles:
            return self._sidecar(self._video.subtitles)
        if self._beside.cues:
            return self._beside
        if not self._tracks():
            return CueList(())

        def read() -> CueList:
            return read_embedded(
                path, info.subtitle_tracks, duration_seconds=info.duration_seconds, language=self._language
            )

        return self._kept("subtitles", [self._language], read)

    def _screen(self, on_progress: ocr.Progress) -> CueList:
        return self._kept("screen", [ocr.VERSION], lambda: ocr.skim(self._video, on_progress, self._go_on))

    def _speech(self, on_progress: ocr.Progress) -> CueList:
        def read() -> CueList:
            return CueList(speech.transcribe(self._video, speech.Whisper(self._asr_model), on_progress, self._go_on))

        return self._kept("speech", [speech.VERSION, self._asr_model], read)

    def _kept(self, source: Source, settings: list[JSON], read: Callable[[], CueList]) -> CueList:
        name = f"{source}-{digest([VERSION, *settings])[:16]}.json"
        return kept(CueList, cache_dir("text", self._video.info.fingerprint) / name, read)
