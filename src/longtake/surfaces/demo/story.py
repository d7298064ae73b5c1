"""The story of the sample video as data: scenes, what is written in them, what is said, and three questions.

No drawing and no files: `scenes` draws the scenes, `video` writes them. The times follow from the scene
lengths, so the truth of each question is computed, never typed.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...types import Cue, Sample, TimeSpan

__all__ = ["CAST", "DURATION_SECONDS", "SCENES", "Look", "Scene", "cues", "questions", "scene_spans"]


@dataclass(frozen=True, slots=True)
class Look:
    coat: str
    hair: str
    skin: str
    hat: str | None = None


CAST = {
    "Nora": Look("#d8574a", "#5a3424", "#f1c9a5"),
    "Pavel": Look("#2f4a78", "#8d8d8d", "#e8bd98", "#1f3050"),
    "Idris": Look("#24506b", "#2b2320", "#a9744f", "#f5f5f0"),
    "Finn": Look("#e0a32e", "#c7793a", "#f4d3b5"),
    "Elsa": Look("#f3ead9", "#d8b25a", "#f2c8a8"),
    "Marco": Look("#5c7f4a", "#2a211d", "#d9a57c", "#8a5a34"),
    "Ruth": Look("#6f5a9a", "#d9d9dc", "#efc6a6"),
    "Lena": Look("#3d6b66", "#1e1a1a", "#c98f66", "#d9b94a"),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One drawn place. ``signs`` are readable in the picture from its first to its last frame; ``lines`` are spoken
    one after the other, each as "Name: what is said"."""

    picture: str
    light: str
    seconds: int
    signs: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


_CAT_POSTER = "LOST CAT - CALL 555 0142"
_FOUND_LINE = "Lena: My nephew Finn found the green notebook under a bench in the chapel."
_HERON_LINE = "Idris: The Heron takes you home tonight, with all her lights on."

SCENES = (
    Scene(
        "title",
        "dawn",
        16,
        ("A DAY ON GULL ISLAND",),
        (),
        (
            "Nora: This is about the day I lost my notebook.",
            "Nora: It is also about what I found instead.",
        ),
    ),
    Scene(
        "station",
        "dawn",
        36,
        ("PORT ELLERY", "PLATFORM 2"),
        ("Nora", "Pavel"),
        (
            "Pavel: Good morning! You are the only one on the early train.",
            "Nora: I want to draw the gulls before the wind comes up.",
            "Pavel: Then you need the ferry. The board over there has all the times.",
            "Nora: Is it far to walk with a heavy bag?",
            "Pavel: Four minutes, if you do not stop for coffee.",
            "Nora: I always stop for coffee.",
        ),
    ),
    Scene(
        "departures",
        "day",
        16,
        ("DEPARTURES", "08:15   GULL ISLAND   PIER 3", "08:40   WESTON   PLATFORM 1", "09:05   ASHFORD   PLATFORM 2"),
        (),
        (
            "Pavel: There you are, second line from the top.",
            "Nora: Thank you. I will be back with the last ferry.",
        ),
    ),
    Scene(
        "pier",
        "day",
        36,
        ("MARIGOLD", "FERRY TO THE ISLAND"),
        ("Nora", "Idris"),
        (
            "Idris: Welcome aboard the Marigold! Mind the step, it is wet.",
            "Nora: One ticket to the island and back, please.",
            "Idris: Eight crowns. The way back is free for people who draw.",
            "Nora: How do you know that I draw?",
            "Idris: You have ink on your nose and a pencil behind your ear.",
            "Nora: Then I had better take a seat where nobody sees me.",
        ),
    ),
    Scene(
        "crossing",
        "day",
        36,
        ("MARIGOLD",),
        (),
        (
            "Nora: How long has this boat been on the line?",
            "Idris: The Marigold? Thirty-one years, and I have steered her for twenty.",
            "Nora: Look at all those gulls behind us!",
            "Idris: They think that you brought bread. Everybody brings bread.",
            "Nora: I only brought a green notebook and two pencils.",
            "Idris: Keep it away from the railing, the sea likes paper.",
        ),
    ),
    Scene(
        "harbour",
        "day",
        36,
        ("WELCOME TO GULL ISLAND", "POPULATION 214", "SEA ROSE"),
        ("Nora", "Finn"),
        (
            "Finn: Are you a tourist? We had one last week.",
            "Nora: I am an illustrator. And who are you?",
            "Finn: I am Finn. I clean the Sea Rose when my uncle comes home with the fish.",
            "Nora: She is a pretty boat. May I draw her?",
            "Finn: Only if you make her look fast.",
            "Nora: I will draw her with a very big wave.",
        ),
    ),
    Scene(
        "market",
        "day",
        40,
        ("APPLES 2.40", "HONEY 6.50", "FISH 5.00"),
        ("Nora", "Marco"),
        (
            "Marco: Apples, honey, fish! Everything from this morning!",
            "Nora: What is the dark honey made from?",
            "Marco: Heather, from the hill behind the lighthouse.",
            "Nora: Then I take a jar for my mother.",
            "Marco: She will call you tonight and ask for another one.",
            "Nora: Could you keep it here for me until I come back?",
            "Marco: Of course. I will put it under the table, beside the cat's bowl.",
        ),
    ),
    Scene(
        "notices",
        "day",
        18,
        (_CAT_POSTER, "CHOIR: FRIDAY 19:30, TOWN HALL", "ROOM TO LET", "555 0187"),
        (),
        (
            "Nora: So many little papers. A whole village on one board.",
            "Nora: Poor thing, I hope somebody is feeding it.",
        ),
    ),
    Scene(
        "bakery",
        "day",
        36,
        ("ELSA'S BAKERY", "RYE BREAD 4.20"),
        ("Nora", "Elsa"),
        (
            "Elsa: You are early, the cinnamon rolls are still in the oven.",
            "Nora: It smells wonderful from the harbour up to here.",
            "Elsa: My mother opened this shop, in the winter of the great storm.",
            "Nora: Does the whole island buy its bread here?",
            "Elsa: Everyone but Ruth. She bakes her own and it is like a brick.",
            "Nora: I will not tell her. A rye loaf, please.",
        ),
    ),
    Scene(
        "signpost",
        "day",
        30,
        ("LIGHTHOUSE 3 KM", "CHAPEL 1 KM", "BEACH 2 KM"),
        ("Nora",),
        (
            "Nora: Left, right or straight on? The beach, I think.",
            "Nora: If I walk fast I can see the chapel as well.",
            "Nora: The lighthouse is too far, that is for another day.",
            "Nora: And I should have bought a smaller bag.",
        ),
    ),
    Scene(
        "cliffs",
        "day",
        36,
        ("KEEP BACK FROM THE EDGE",),
        ("Nora", "Ruth"),
        (
            "Ruth: Sit still and they come quite close.",
            "Nora: Is the grey one over there a heron?",
            "Ruth: A young heron, yes. He fishes here when the tide is low.",
            "Nora: I found a white feather, I will put it between the pages of my notebook.",
            "Ruth: The sky over the sea turns black. You have half an hour, not more.",
            "Nora: Then I finish this wing and run.",
        ),
    ),
    Scene(
        "chapel",
        "rain",
        38,
        ("CHAPEL OF ST BRENDAN", "BUILT 1712"),
        ("Nora", "Ruth"),
        (
            "Nora: Thank you for waiting, I am wet to the bone.",
            "Ruth: Sit down. The rain never stays for more than an hour.",
            "Nora: Who looks after this place?",
            "Ruth: We all do. I polish the benches, Elsa brings the flowers.",
            "Nora: I can hear the bell move in the wind.",
            "Ruth: My brother lost his glasses in this chapel and found them a year later.",
            "Nora: It is getting lighter. I will try to reach the café.",
        ),
    ),
    Scene(
        "cafe",
        "day",
        36,
        ("THE NORTHERN STAR", "MENU", "SOUP 7.00   TEA 2.00"),
        ("Nora", "Marco"),
        (
            "Marco: We meet again. In the afternoon I serve the soup.",
            "Nora: Why is a café called the Northern Star?",
            "Marco: That was my grandfather's boat. She took the post to the mainland at night.",
            "Nora: One moment. My bag is so light. My notebook is gone!",
            "Marco: What does it look like?",
            "Nora: Green, with a rubber band, as big as my hand.",
        ),
    ),
    Scene(
        "office",
        "day",
        36,
        ("LOST PROPERTY", "ROOM 7", "OPEN 9:00 - 16:30"),
        ("Nora", "Ruth"),
        (
            "Nora: Ruth! You work here too?",
            "Ruth: On Tuesdays. The rest of the week nobody loses anything.",
            "Nora: Has anyone handed in a notebook today?",
            "Ruth: One umbrella, one left boot, and a green scarf. No notebook.",
            "Nora: There is a whole year of drawings in it.",
            "Ruth: Then take a bicycle and ask at the lighthouse. Lena sees everything.",
        ),
    ),
    Scene(
        "bicycles",
        "day",
        32,
        ("BICYCLES 9 A DAY", "CALL 555 0199"),
        ("Nora", "Finn"),
        (
            "Finn: The red one has good brakes, the blue one has a bell.",
            "Nora: I take the one with the brakes.",
            "Finn: My aunt Lena keeps the light. Tell her I come after supper.",
            "Nora: You clean boats and rent bicycles?",
            "Finn: And I ring the bell on Sundays. It is a small island.",
        ),
    ),
    Scene(
        "harbour",
        "dusk",
        30,
        ("WELCOME TO GULL ISLAND", "POPULATION 214", "SEA ROSE"),
        ("Nora", "Elsa"),
        (
            "Elsa: You still look for it? Eat something first.",
            "Nora: The sun goes down and the boat will not wait for me.",
            "Elsa: The Sea Rose stays in the harbour tonight, there is too much swell.",
            "Nora: I go up to the lighthouse. It is my last chance.",
        ),
    ),
    Scene(
        "lighthouse",
        "night",
        44,
        ("GULL ISLAND LIGHT", "BUILT 1887"),
        ("Nora", "Lena"),
        (
            "Lena: Come in from the wind. You must be the lady with the ink on her nose.",
            "Nora: Has the whole island talked about my nose?",
            "Lena: There is not much on television. I have something for you.",
            _FOUND_LINE,
            "Nora: He sat on it, I can tell. But every page is dry!",
            "Lena: He looked at the Sea Rose for a long time. He says that she looks fast.",
            "Nora: Then he shall have that page.",
        ),
    ),
    Scene(
        "pier",
        "night",
        34,
        ("HERON", "GULL ISLAND PIER"),
        ("Nora", "Idris"),
        (
            "Idris: There you are! I nearly left without you.",
            "Nora: Where is the Marigold?",
            "Idris: In the dock. Her engine coughed all afternoon.",
            _HERON_LINE,
            "Nora: I have honey, bread and my drawings. I need nothing else.",
            "Idris: Then sit down, and do not lose anything on the way.",
        ),
    ),
    Scene(
        "title",
        "night",
        14,
        ("THE END",),
        (),
        ("Nora: In spring I went back, with a smaller bag.",),
    ),
)

DURATION_SECONDS = sum(scene.seconds for scene in SCENES)


def scene_spans() -> tuple[TimeSpan, ...]:
    """When each of `SCENES` is shown; they touch and fill the video."""
    ends = [sum(scene.seconds for scene in SCENES[: index + 1]) for index in range(len(SCENES))]
    return tuple(TimeSpan(float(end - scene.seconds), float(end)) for end, scene in zip(ends, SCENES, strict=True))


def cues() -> tuple[Cue, ...]:
    """The spoken lines in order: evenly over their scene, shown as long as they take to read, none overlapping."""
    found: list[Cue] = []
    for scene, span in zip(SCENES, scene_spans(), strict=True):
        step = (scene.seconds - 1.5) / len(scene.lines)
        for index, line in enumerate(scene.lines):
            start = span.start + 1.0 + index * step
            end = start + min(step - 0.2, 1.6 + 0.055 * len(line))
            found.append(Cue(TimeSpan(round(start, 3), round(end, 3)), line, "subtitles"))
    return tuple(found)


def questions(video: str) -> tuple[Sample, ...]:
    """Three questions about the file ``video``: answered in what is said, in what is written, and by choice."""
    shown = next(span for scene, span in zip(SCENES, scene_spans(), strict=True) if _CAT_POSTER in scene.signs)
    said = {cue.text: cue.span for cue in cues()}
    return (
        Sample(
            "demo-said",
            video,
            "Where was the green notebook found?",
            target="under a bench in the chapel",
            target_spans=(said[_FOUND_LINE],),
        ),
        Sample(
            "demo-written",
            video,
            "Which number should I call about the lost cat?",
            target="555 0142",
            target_spans=(shown,),
        ),
        Sample(
            "demo-choice",
            video,
            "Which boat takes Nora home at night?",
            choices=("Marigold", "Sea Rose", "Heron", "Northern Star"),
            target="Heron",
            target_spans=(said[_HERON_LINE],),
        ),
    )
