"""Videos are found in every layout people have, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from longtake.errors import AmbiguousVideoError, VideoNotFoundError
from longtake.eval.data.videos import VideoFinder
from longtake.video.frame_folder import probe_frames


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTAKE_CACHE", str(tmp_path / "cache"))


def put(root: Path, *names: str, data: bytes | None = None) -> None:
    """A file of its own content under each name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() if data is None else data)


def put_frames(root: Path, name: str, num_frames: int = 3, colour: int = 90) -> None:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, num_frames + 1):
        Image.new("RGB", (32, 24), (colour, 10 * number % 256, 0)).save(folder / f"{number:05}.jpg")


def found(root: Path, name: str, **options: object) -> str | None:
    path = VideoFinder(root, **options).find(name)  # type: ignore[arg-type]
    return None if path is None else path.relative_to(root).as_posix()


@pytest.mark.parametrize(
    ("on_disk", "name"),
    [
        ("data/abc.mp4", "data/abc.mp4"),
        ("longvideo_eval_subset3/abc.webm", "longvila_videos/abc.mp4"),
        ("shards/07/unpacked/data/abc.mp4", "data/abc.mp4"),
        ("data/abc.MP4", "abc"),
        ("data/ABC.mkv", "abc"),
        ("v1.5-abc.mp4", "v1.5-abc"),
        ("-x_y z.mp4", "-x_y z.mp4"),
        ("abc.mov", "C:\\videos\\abc.mp4"),
        ("abc.mp4", "/home/me/videos/abc.mp4"),
        ("a/abc.mp4", "./a//abc.mp4"),
    ],
)
def test_layouts(tmp_path: Path, on_disk: str, name: str) -> None:
    put(tmp_path / "videos", on_disk, "other/xyz.mp4")
    assert found(tmp_path / "videos", name) == on_disk


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    put(tmp_path, "a/abc.mp4", "b/.hidden.mp4", "b/half.mp4.part", "b/half2.mp4.incomplete", ".git/deep.mp4", "b/t.txt")
    for name in ("abd", "hidden", "half", "half2.mp4", "deep", "t", "", "..", "/", "a", "abc.mp4/", "nul\0abc"):
        assert (found(tmp_path, name) is None) == (name != "abc.mp4/"), name


def test_a_name_never_leaves_the_root(tmp_path: Path) -> None:
    put(tmp_path, "secret.mp4", "videos/in/abc.mp4")
    root = tmp_path / "videos"
    for name in ("../secret.mp4", "in/../../secret", str(tmp_path / "secret.mp4"), "..\\secret.mp4"):
        assert found(root, name) is None
    assert found(root, "../other/abc.mp4") == "in/abc.mp4"


def test_the_folder_of_a_name_counts_where_it_exists(tmp_path: Path) -> None:
    """Another folder's file of the same name is another video."""
    put(tmp_path, "a/1.mp4", "b/1.mp4", "b/2.mp4")
    assert found(tmp_path, "a/1.mp4") == "a/1.mp4"
    assert found(tmp_path, "a/2.mp4") is None
    assert found(tmp_path, "elsewhere/2.mp4") == "b/2.mp4"


def test_ambiguous_names_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "s1/x.mp4", "s2/x.mkv", "s3/y.mp4", "s4/y.mp4")
    with pytest.raises(AmbiguousVideoError, match=r"s1/x\.mp4, s2/x\.mkv") as caught:
        VideoFinder(tmp_path).find("x")
    assert caught.value.candidates == ("s1/x.mp4", "s2/x.mkv")
    assert found(tmp_path, "x.mkv") == "s2/x.mkv"
    with pytest.raises(AmbiguousVideoError):
        VideoFinder(tmp_path).find("videos/y.mp4")
    assert found(tmp_path, "y.mp4", patterns=["none/*", "S4/*"]) == "s4/y.mp4"


def test_the_path_as_given_is_not_ambiguous(tmp_path: Path) -> None:
    put(tmp_path, "a/x.mp4", "b/a/x.mp4", "A/y.mp4", "b/a/y.mp4", "z.mp4", "b/z.mp4")
    for name in ("a/x.mp4", "b/a/x.mp4", "A/y.mp4", "z.mp4"):
        assert found(tmp_path, name) == name
    assert found(tmp_path, "a/x") == "a/x.mp4"
    with pytest.raises(AmbiguousVideoError):
        found(tmp_path, "z")


def test_the_same_content_twice_is_one_video(tmp_path: Path) -> None:
    put(tmp_path, "s1/x.mp4", "s2/x.mp4", data=b"same")
    assert found(tmp_path, "x.mp4") == "s1/x.mp4"


def test_case_is_heeded_where_it_tells_videos_apart(tmp_path: Path) -> None:
    put(tmp_path, "aBc.mp4", "sub/abc.mp4")
    assert found(tmp_path, "aBc") == "aBc.mp4"
    assert found(tmp_path, "abc") == "sub/abc.mp4"


def test_links_to_files_are_videos_and_links_to_folders_are_named(tmp_path: Path) -> None:
    put(tmp_path, "blobs/0123.mp4", "elsewhere/z.mp4")
    root = tmp_path / "snapshot"
    root.mkdir()
    (root / "x.mp4").symlink_to(tmp_path / "blobs/0123.mp4")
    (root / "gone.mp4").symlink_to(tmp_path / "nothing")
    (root / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "self").symlink_to(root, target_is_directory=True)
    finder = VideoFinder(root)
    assert finder.find("x.mp4") == root / "x.mp4"
    assert finder.find("gone") is None
    assert finder.find("z") is None
    assert sorted(finder.links) == [root / "more", root / "self"]


def test_frame_folders_are_videos(tmp_path: Path) -> None:
    put_frames(tmp_path, "bbt_frames/s01e01_seg02_clip_00")
    put_frames(tmp_path, "friends_frames/friends_s01e01_seg02_clip_00")
    put(tmp_path, "posters/01.jpg", "posters/film.mp4")
    assert found(tmp_path, "s01e01_seg02_clip_00") == "bbt_frames/s01e01_seg02_clip_00"
    assert found(tmp_path, "bbt_s01e01_seg02_clip_00") == "bbt_frames/s01e01_seg02_clip_00"
    assert found(tmp_path, "friends_s01e01_seg02_clip_00") == "friends_frames/friends_s01e01_seg02_clip_00"
    assert found(tmp_path, "posters") is None
    put(tmp_path, "whole/s01e01_seg02_clip_00.mp4")
    assert found(tmp_path, "s01e01_seg02_clip_00") == "whole/s01e01_seg02_clip_00.mp4"


def test_episodes_are_gathered_from_their_clips(tmp_path: Path) -> None:
    for clip in ("s01e01_seg02_clip_10", "s01e01_seg02_clip_09", "s01e01_seg01_clip_11", "s01e02_seg01_clip_00"):
        put_frames(tmp_path, f"frames/bbt_frames/{clip}")
    put_frames(tmp_path, "frames/friends_frames/friends_s01e01_seg01_clip_00")
    finder = VideoFinder(tmp_path / "frames", frame_fps=1.0)
    path = finder.find("s01e01")
    assert path is not None
    track = probe_frames(path)
    assert [chapter.id for chapter in track.info.chapters] == [
        "s01e01_seg01_clip_11",
        "s01e01_seg02_clip_09",
        "s01e01_seg02_clip_10",
    ]
    assert [(c.span.start, c.span.end) for c in track.info.chapters] == [(0, 3), (3, 6), (6, 9)]
    assert finder.find("bbt_s01e01") == path
    assert finder.find("S01E01.mp4") is not None
    friends = finder.find("friends_s01e01")
    assert friends is not None
    assert probe_frames(friends).info.duration_seconds == 3
    assert finder.find("s09e09") is None


def test_a_folder_of_clips_is_an_episode(tmp_path: Path) -> None:
    for clip in range(11):
        put_frames(tmp_path, f"shows/pilot/part{clip}", num_frames=1)
    path = VideoFinder(tmp_path / "shows").find("pilot")
    assert path is not None
    assert [chapter.id for chapter in probe_frames(path).info.chapters] == [f"part{n}" for n in range(11)]


def test_a_clip_that_lies_there_twice_must_be_the_same(tmp_path: Path) -> None:
    root = tmp_path / "frames"
    put_frames(root, "train/s01e01_seg01_clip_00")
    put_frames(root, "val/s01e01_seg01_clip_00")
    put_frames(root, "val/s01e01_seg01_clip_01")
    assert VideoFinder(root).find("s01e01") is not None
    put_frames(root, "val/s01e01_seg01_clip_00", colour=200)
    with pytest.raises(AmbiguousVideoError, match="s01e01_seg01_clip_00"):
        VideoFinder(root).find("s01e01")


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VideoNotFoundError, match="no folder"):
        VideoFinder(tmp_path / "nowhere")
