"""A picture in the language of Graphviz, https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .picture import SMALL, TEXT, Box, Frame, Link, Picture

_HEAD = f"""\
  graph [rankdir=TB, fontname="Helvetica", fontsize={TEXT:g}, labelloc=t, compound=true]
  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize={TEXT:g}, color="#52525b"]
  edge [fontname="Helvetica", fontsize={SMALL:g}, color="#71717a", fontcolor="#52525b", arrowsize=0.7]"""


def dot_of(picture: Picture) -> str:
    """The picture as a `digraph`."""
    framed = {m for frame in picture.frames for m in frame.members}
    loose = (_node(n, box) for n, box in picture.boxes.items() if n not in framed)
    frames = (_cluster(i, frame, picture) for i, frame in enumerate(picture.frames))
    links = (_edge(link, picture) for link in picture.links)
    return "\n".join(("digraph {", _HEAD, *_legend(picture), *loose, *frames, *links, "}", ""))


def _node(number: int, box: Box) -> str:
    lines = (f"<b>{escape(box.title)}</b>", *map(escape, (*box.details, *box.parameters)))
    outputs = (f"<b>{escape(line)}</b>" for line in box.outputs)
    style = (
        ', shape=ellipse, style="filled"'
        if box.round
        else ', style="rounded,filled,dashed"'
        if box.column
        else ""
    )
    return (
        f"  {number} [label=<{'<br/>'.join((*lines, *outputs))}>, fillcolor={_quoted(box.colour)}, "
        f"tooltip={_quoted(box.hint)}{style}]"
    )


def _cluster(number: int, frame: Frame, picture: Picture) -> str:
    nodes = "\n".join("  " + _node(m, picture.boxes[m]) for m in frame.members)
    style = 'style="rounded,dashed"; color="#94a3b8"; bgcolor="#f8fafc"; labeljust=r'
    return f'  subgraph cluster_{number} {{\n    label="× {frame.times}"; {style}\n{nodes}\n  }}'


def _edge(link: Link, picture: Picture) -> str:
    """Backward links are given the other way round, so that a backward pass is read from the bottom up."""
    columns = picture.boxes[link.source].column, picture.boxes[link.target].column
    words = (
        [f"label={_quoted(link.text)}"] if columns[0] == columns[1] else ["style=dotted", "constraint=false"]
    )
    words += ["style=dashed"] if link.dashed and columns[0] == columns[1] else []
    if columns == (1, 1):
        return f"  {link.target} -> {link.source} [{', '.join((*words, 'dir=back'))}]"
    return f"  {link.source} -> {link.target} [{', '.join(words)}]"


def _legend(picture: Picture) -> Iterator[str]:
    if picture.legend:
        cells = "".join(
            f'<tr><td bgcolor="{colour}">    </td><td align="left">{escape(text)}</td></tr>'
            for colour, text in picture.legend
        )
        yield f'  label=<<table border="0" cellspacing="4">{cells}</table>>'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
