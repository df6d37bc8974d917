#!/usr/bin/env python3
"""Runs prepare-audio on the fixtures and draws its output as docs/terminal.svg.

  cargo build --release
  docs/terminal.py [PROGRAM]                  default: target/release/prepare-audio

The run uses a temporary folder, which is removed afterwards. The picture has the program's real output; only the folder's
path is removed, and long tables are shortened, which a line with "..." shows. Needs only Python 3.9.
"""
import os
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from xml.sax.saxutils import escape

REPO = Path(__file__).resolve().parent.parent
PICTURE = REPO / "docs" / "terminal.svg"

# Commands, and the number of lines of output that are shown.
COMMANDS = [
    ("prepare-audio fetch fixtures/speech fixtures/quiet --workers 4", 4),
    ("prepare-audio segments", 9),
    ("prepare-audio fetch fixtures/bad", 4),
    ("prepare-audio status", 14),
]

COLUMNS = 110
CHAR, LINE, MARGIN, BAR, SIZE = 8.43, 19, 18, 34, 14

# Custom properties would be shorter, but not every SVG renderer supports them.
STYLE = """
text { font: %dpx ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; white-space: pre; fill: #24292f }
.window { fill: #f6f8fa; stroke: #d0d7de }
.command { font-weight: bold }
.prompt { fill: #1a7f37 }
.cut { fill: #6e7781 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .window { fill: #161b22; stroke: #30363d }
  .prompt { fill: #3fb950 }
  .cut { fill: #8b949e }
}
""" % SIZE


def run(program, work, command):
    """The output of one command, as lines, without the log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREPARE_AUDIO_")}
    for name in ("DATABASE_URL", "OUTPUT_DIR", "AUDIO_FILE_DIR", "MODEL_FOR_VAD", "LOG_LEVEL"):
        environment.pop(name, None)
    arguments = [program, *command.split()[1:]]
    done = subprocess.run(arguments, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1, 3):
        sys.exit(f"terminal: `{command}` ended with {done.returncode}:\n{done.stderr}")
    text = done.stdout.replace(f"{work}{os.sep}", "").replace(f"{REPO}{os.sep}", "")
    return text.rstrip("\n").split("\n")


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shorten(lines, most):
    lines = [line if width(line) <= COLUMNS else line[:COLUMNS - 4] + " ..." for line in lines]
    if len(lines) <= most:
        return [("", line) for line in lines]
    kept = [("", line) for line in lines[:most - 1]]
    return [*kept, ("cut", f"... {len(lines) - most + 1} more lines")]


def draw(rows):
    wide = round(COLUMNS * CHAR + 2 * MARGIN)
    high = BAR + len(rows) * LINE + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" role="img">',
        "<title>prepare-audio on the recordings in fixtures/</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="window" x="0.5" y="0.5" width="{wide - 1}" height="{high - 1}" rx="8"/>',
    ]
    for index, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f")):
        out.append(f'<circle cx="{MARGIN + 2 + 20 * index}" cy="17" r="6" fill="{colour}"/>')
    for index, (kind, text) in enumerate(rows):
        y = BAR + (index + 1) * LINE - 4
        if kind == "command":
            text = f'<tspan class="prompt">$</tspan> {escape(text)}'
        else:
            text = escape(text)
        if text:
            mark = f' class="{kind}"' if kind else ""
            out.append(f'<text x="{MARGIN}" y="{y}"{mark} xml:space="preserve">{text}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    program = Path(sys.argv[1] if len(sys.argv) > 1 else REPO / "target" / "release" / "prepare-audio").resolve()
    if not program.is_file():
        sys.exit(f"terminal: there is no {program}; run `cargo build --release` first")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        (work / "fixtures").symlink_to(REPO / "fixtures")
        for command, most in COMMANDS:
            if rows:
                rows.append(("", ""))
            rows.append(("command", command))
            rows += shorten(run(program, work, command), most)
    PICTURE.write_text(draw(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
