"""A chat-completions server nobody here wrote: ``transformers serve`` with a tiny model that sees pictures.

The model's weights are written by hand, so that what it says is known: asked with tools it calls ``crop_video``, as
the master of a team it asks the vision agent; once it has seen what came of that (or at once, asked otherwise) it
answers B. Everything else is real: requests are parsed, pictures decoded
and encoded, prompts rendered by a chat template, replies generated token by token and parsed by the server. So the
number of prompt tokens tells how many pictures arrived.

Needs transformers, torch, accelerate, fastapi, uvicorn and openai; without them tests that use it are skipped.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("transformers", "torch", "accelerate", "fastapi", "uvicorn", "openai")
TOKENS_PER_IMAGE = 4
CALL = '<tool_call>\n{"name": "crop_video", "arguments": {"start_time": 1.0, "end_time": 2.5}}\n</tool_call>'
ANSWER = "<think>I have seen it.</think><answer>B</answer>"
LOOK = "<reasoning>I have to see it.</reasoning><visual_query>the clock</visual_query>"
_START_SECONDS = 180

TEMPLATE = """\
{%- set seen = namespace(tools=tools, leads=false, looked=false) -%}
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% for part in message.content -%}
{%- if part.type == 'image' -%}<image>{%- else -%}{{ part.text }}
{%- if '<tools>' in part.text -%}{%- set seen.tools = true -%}{%- endif -%}
{%- if '<tool_response>' in part.text or '<information>' in part.text -%}{%- set seen.looked = true -%}{%- endif -%}
{%- if '<visual_query>' in part.text -%}{%- set seen.leads = true -%}{%- endif -%}
{%- endif -%}
{%- endfor -%}
{%- for call in message.tool_calls or [] -%}
<tool_call>{{ call.function.name }} {{ call.function.arguments.items() | list }}</tool_call>
{%- endfor -%}
{%- if message.role == 'tool' -%}{%- set seen.looked = true -%}{%- endif -%}
<|im_end|>
{% endfor -%}
<|im_start|>assistant
{{ '<|say|>' if seen.looked else '<|call|>' if seen.tools else '<|look|>' if seen.leads else '<|say|>' }}"""

RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor_pattern": r"<\|im_start\|>assistant\n<\|(?:call|look|say)\|>",
    "fields": {
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"\s*<\|im_end\|>", "content": "text"},
    },
}


@dataclass(frozen=True)
class IndependentServer:
    """``native``: a model whose tool calls the server parses. ``textual``: the same, its calls come as text."""

    base_url: str
    native: str
    textual: str


def missing() -> list[str]:
    """Which of the packages the server needs are absent."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


@contextmanager
def serve(folder: Path) -> Iterator[IndependentServer]:
    """The server on a free port of loopback, its models in ``folder``."""
    native, textual = folder / "native", folder / "textual"
    subprocess.run([sys.executable, __file__, str(native), str(textual)], check=True, env=_offline())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=_offline())
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield IndependentServer(f"http://127.0.0.1:{port}/v1", str(native), str(textual))
        finally:
            server.terminate()
            server.wait(20)


def _offline() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"transformers serve ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"transformers serve did not start: {log.read_text()[-2000:]}")


def build(folder: Path, *, parses_calls: bool) -> None:
    """Writes the model: a Llava of one layer whose next token depends on the last one only."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens(["<image>", "<|im_start|>", "<|im_end|>", "<|call|>", "<|look|>", "<|say|>", "<pad>"])
    tokens.add_tokens([CALL, LOOK, ANSWER])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="<|im_end|>", pad_token="<pad>")
    if parses_calls:
        tokenizer.response_template = RESPONSE_TEMPLATE
    id_of = tokenizer.convert_tokens_to_ids
    size = len(tokenizer)
    text = LlamaConfig(
        vocab_size=size, hidden_size=size + size % 2, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=8192, tie_word_embeddings=False,
        eos_token_id=id_of("<|im_end|>"), pad_token_id=id_of("<pad>"), bos_token_id=None,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14,
        projection_dim=16,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=id_of("<image>"))
    )
    state = model.state_dict()
    with torch.no_grad():
        for name, weight in state.items():
            if name.endswith(("o_proj.weight", "down_proj.weight")) and "language_model" in name:
                weight.zero_()
        embed = next(weight for name, weight in state.items() if name.endswith("embed_tokens.weight"))
        head = next(weight for name, weight in state.items() if name.endswith("lm_head.weight"))
        embed.zero_()
        embed.fill_diagonal_(1.0)
        head.zero_()
        head[id_of("<|im_end|>")] = 0.1
        for before, after in (("<|call|>", CALL), ("<|look|>", LOOK), ("<|say|>", ANSWER)):
            head[id_of(after), id_of(before)] = 10.0
    model.generation_config.eos_token_id = id_of("<|im_end|>")
    model.save_pretrained(folder)
    side = {"height": 28, "width": 28}
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size=side)
    LlavaProcessor(
        pictures, tokenizer, patch_size=14, vision_feature_select_strategy="default", chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip


if __name__ == "__main__":
    build(Path(sys.argv[1]), parses_calls=True)
    build(Path(sys.argv[2]), parses_calls=False)
