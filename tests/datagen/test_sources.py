"""The videos of a folder: names that stay, odd files, and what makes work anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_context import FakeContext, run_step

from clips import solid, write_frames
from longtake.datagen.sources import list_videos, source
from longtake.datagen.values import Source
from longtake.errors import ConfigError, RejectedError


def film(path: Path, colour: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_frames(path, ((i, solid((colour, i, 0))) for i in range(10)), fps=10)
    return path


def test_ids_are_unique_and_do_not_change_when_a_file_is_added(tmp_path: Path) -> None:
    for name in ("film.mp4", "film.mp4.mov", "a/film.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    before = list_videos(tmp_path)
    assert {root.value["video"]: root.id for root in before} == {
        "a/film.mkv": "a/film",
        "film.mp4": "film",
        "film.mp4.mov": "film.mp4",
    }
    (tmp_path / "film.mkv").write_bytes(b"new")
    after = {root.value["video"]: root.id for root in list_videos(tmp_path, before)}
    assert after["film.mp4"] == "film"
    assert after["film.mp4.mov"] == "film.mp4"
    assert after["film.mkv"] == "film.mkv"
    assert len(set(after.values())) == 4


def test_what_longtake_wrote_and_what_is_hidden_is_left_out_and_links_are_followed(tmp_path: Path) -> None:
    films, elsewhere = tmp_path / "films", tmp_path / "elsewhere"
    for name in ("films/a.mp4", "films/run/files/clips/a_0000.mp4", "films/clips/a_0000.mp4", "films/.trash/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (films / "run/run.json").touch()
    (films / "clips/clips.jsonl").touch()
    elsewhere.mkdir()
    (elsewhere / "c.webm").write_bytes(b"c")
    (films / "linked").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(films)
    (films / "lost.mp4").symlink_to("nowhere.mp4")
    assert [root.value["video"] for root in list_videos(films)] == ["a.mp4", "linked/c.webm"]
    with pytest.raises(ConfigError, match="there is no video in"):
        list_videos(tmp_path / "nowhere")


def test_a_name_that_cannot_be_written_drops_that_video_alone(tmp_path: Path) -> None:
    try:
        for name in (b"bad\xff.mp4", b"new\nline.mp4", b"good.mp4"):
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    except OSError:
        pytest.skip("this file system takes no such names")
    roots = {root.value["video"]: root for root in list_videos(tmp_path)}
    assert len(roots) == 3
    for name, root in roots.items():
        if name != "good.mp4":
            with pytest.raises(RejectedError, match="rename it"):
                run_step(source(), [root], FakeContext(tmp_path))


def test_a_file_is_known_by_all_of_its_content_and_by_its_subtitles(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")

    def made() -> Source:
        (root,) = list_videos(tmp_path)
        return run_step(source(), [root], FakeContext(tmp_path))[0].read(Source)

    first = made()
    os.utime(path, (1, 1))
    assert made() == first, "touched is not changed"
    path.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    second = made()
    assert second.subtitles != first.subtitles
    assert second.sha256 == first.sha256
    film(path, 200)
    assert made().sha256 != first.sha256


def test_the_same_file_twice_is_taken_once(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(path.read_bytes())
    roots = list_videos(tmp_path)
    with pytest.raises(RejectedError, match=r"the same file as a\.mp4"):
        run_step(source(), [roots[1]], FakeContext(tmp_path))
