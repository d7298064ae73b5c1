"""Puts what lies on disk into questions: the file of the video, its subtitles, and gold spans on the video's clock.

Opens no video, but lists the folders of frames where gold spans count from the start of a clip.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import AmbiguousVideoError, ConfigError, VideoError, VideoNotFoundError
from ...media import Chapter, TimeSpan
from ...scoring.grounding import same_clip
from ...video.frame_folder import EPISODE_SUFFIX, probe_frames
from ..items import Item, Malformed
from .benchmark import Spec
from .drafts import Draft
from .subtitle_files import SubtitleSource
from .videos import VideoFinder

__all__ = ["Placing", "chapters_of"]


class Placing:
    """Looks each name up once. ``videos`` is the folder of the videos; None: beside the data, in ``root``. ``data`` are
    the files of the questions and their gold: never subtitles, whatever they are called.

    Raises `ConfigError` where a place that the user gave is not there, or is none for subtitles.
    ``ambiguous``: names that fit several videos, and what was said of each; ``notes``: clips whose place is not known;
    ``num_subtitles``: videos that have subtitles, None where none were looked for."""

    def __init__(
        self,
        spec: Spec,
        videos: Path | None,
        root: Path | None,
        subtitles: Path | bool | None,
        data: Collection[Path] = (),
    ) -> None:
        folder = videos or root
        self._spec = spec
        self._finder = None
        if folder is not None:
            try:
                self._finder = VideoFinder(folder, patterns=spec.video_patterns, frame_fps=spec.frame_fps or 3.0)
            except VideoNotFoundError as e:
                raise ConfigError(f"--videos: {e}") from e
        self._trusts_paths = videos is None
        self._found = dict[str, str]()
        self._ids = dict[str, str]()
        self._chapters = dict[str, Sequence[Chapter]]()
        self._words = _sources(spec, [each for each in (videos, root) if each is not None], subtitles, data)
        self._words_found = dict[tuple[str, str | None, float, float | None], str | None]()
        self.ambiguous = dict[str, str]()
        self.notes = list[Malformed]()

    @property
    def num_subtitles(self) -> int | None:
        if not self._words:
            return None
        return len(
            {self._found.get(name) or name for (name, *_), path in self._words_found.items() if path is not None}
        )

    def placed(self, draft: Draft) -> Item:
        item = draft.item
        name = item.video_name
        if name not in self._found:
            self._found[name] = self._find(name)
        video = self._found[name]
        sample = replace(item.sample, video=video, subtitles=self._words_of(draft))
        if self._spec.spans_in_clip and item.clip is not None and sample.target_spans:
            spans = self._shifted(video, item.clip, sample.target_spans)
            if not spans and video:
                why = f"the clip {item.clip} is not in {video}; its gold span is left out"
                self.notes.append(Malformed(sample.id, 0, why))
            said = [[span.start, span.end] for span in sample.target_spans]
            sample = replace(sample, target_spans=spans, metadata={**sample.metadata, "clip_spans": [*said]})
        # one file under two names is one video: questions about it are not independent
        return replace(item, sample=sample, video_id=self._ids.setdefault(video or name, item.video_id))

    def _find(self, name: str) -> str:
        path = Path(name)
        if self._trusts_paths and path.is_absolute() and path.exists():  # the user's own data, and no folder is given
            return name
        try:
            return str((self._finder and self._finder.find(name)) or "")
        except AmbiguousVideoError as e:
            self.ambiguous[name] = str(e)
            return ""

    def _words_of(self, draft: Draft) -> str | None:
        key = (draft.item.video_name, draft.subtitles, draft.subtitle_start_seconds, draft.subtitle_duration_seconds)
        if key not in self._words_found:
            self._words_found[key] = self._find_words(*key)
        return self._words_found[key]

    def _find_words(self, name: str, named: str | None, start: float, duration: float | None) -> str | None:
        for source in self._words:
            try:
                if path := source.find(name, named=named, start_seconds=start, duration_seconds=duration):
                    return str(path)
            except VideoError as e:
                self.notes.append(Malformed(name, 0, f"its subtitles are not used: {e}"))
        return None

    def _shifted(self, video: str, clip: str, spans: tuple[TimeSpan, ...]) -> tuple[TimeSpan, ...]:
        """Spans of a clip on the clock of the episode it is part of; none where its place in it is not known."""
        if not video:
            return ()
        if Path(video).stem == clip:
            return spans
        if video not in self._chapters:
            self._chapters[video] = chapters_of(Path(video), self._spec.frame_fps)
        for chapter in self._chapters[video]:
            if same_clip(chapter.id, clip):
                start = chapter.span.start
                return tuple(TimeSpan(start + span.start, start + span.end) for span in spans)
        return ()


def _sources(
    spec: Spec, roots: Sequence[Path], given: Path | bool | None, data: Collection[Path]
) -> list[SubtitleSource]:
    """Where subtitles may be: the place that was given, else where the benchmark keeps them, if they are there."""
    kind, patterns = spec.subtitles.source, spec.subtitles.patterns
    if given is False:
        return []
    if isinstance(given, Path):
        try:
            return [SubtitleSource.open("beside" if kind == "none" else kind, given, left_out=data)]
        except VideoError as e:
            raise ConfigError(f"--subtitles: {e}") from e
    if kind == "none":
        return []
    found = list[SubtitleSource]()
    for root in dict.fromkeys(roots):
        try:
            found.append(SubtitleSource.open(kind, root, patterns=patterns, left_out=data))
        except VideoNotFoundError:
            continue
        except VideoError as e:
            raise ConfigError(f"{e}; name the right one with --subtitles, or give --no-subtitles") from e
    return found


def chapters_of(video: Path, frame_fps: float | None) -> Sequence[Chapter]:
    """The clips of an episode of frame folders; none for other videos, and for one that cannot be read."""
    if not video.is_dir() and not video.name.endswith(EPISODE_SUFFIX):
        return ()
    try:
        return probe_frames(video, frame_fps).info.chapters
    except VideoError:  # said by the check of the benchmark, and by whoever opens it
        return ()
