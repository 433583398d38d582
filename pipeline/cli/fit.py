"""`fit`: a head of your own on the frozen backbone, from pictures with their truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from operators.heads.fit_grid import ITERATIONS
from pipeline.cli.app import UserError
from pipeline.cli.fitting.output import check_out, fit_shapes
from pipeline.cli.grouped_options import grouped

app = typer.Typer(no_args_is_help=True)

Steps = Annotated[int, typer.Option(min=1, help="Batches of 256 that each head of the grid is trained on.")]


@dataclass(frozen=True, slots=True)
class Fit:
    """What every head is fitted with: options of every command here."""

    out: Annotated[
        Path, typer.Option("--out", help="The head: a file that ends in .safetensors; its picture lies beside.")
    ]
    backbone: Annotated[str, typer.Option(help="Architecture.")] = "dinov2_vits14"
    weights: Annotated[str, typer.Option(help="official, standin, random, or the path of a file.")] = "official"
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto"
    shape: Annotated[list[str] | None, typer.Option(help="Height x width such as 224x392; may be repeated.")] = None
    licence: Annotated[str | None, typer.Option(help="Of the head; default: that of the weights.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which pictures are dealt into parts.")] = 0

    @property
    def model(self) -> tuple[str, str, str]:
        """(backbone, weights, precision) as written."""
        return self.backbone, self.weights, self.precision

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(H, W) of the pictures that it is fitted on. Raises: UserError: they are none of the backbone's."""
        return fit_shapes(self.shape or [], self.backbone)


@app.callback()
def _group() -> None:
    """Fit a head of your own on the frozen backbone: minutes on a CPU.

    The backbone reads each picture once; what it says is kept in .cache/fit. 60 % of the pictures fit the heads of a
    grid, 20 % choose among them, 20 % judge the chosen one: its figures come from pictures that it has not seen.
    Folders within are clips, and no clip is in two parts; frames of one clip in a flat folder look alike, and figures
    flatter.
    """


@app.command()
@grouped
def classify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One subfolder of pictures per class.")],
    *,
    things: Annotated[bool, typer.Option("--things", help="Label things: every NAME.jpg has NAME.mask.png.")] = False,
    crops: Annotated[bool, typer.Option("--crops", help="Label things: each picture shows its thing alone.")] = False,
    steps: Steps = ITERATIONS,
    fit: Fit,
) -> None:
    """Classes of whole pictures, or of things in them.

    DIR/car/*.jpg, DIR/bus/*.jpg, ...; DIR/car/CLIP/*.jpg where pictures are frames of clips. Every learning rate of the
    paper is trained on three readings of the tokens at once, classes weigh the same, and the best by balanced accuracy
    is written. Whole-picture heads label frames; with --things or --crops they label subjects too.
    """
    from pipeline.cli.fitting.classify import Wanted, fit_classes

    check_out(fit.out)
    if things and crops:
        raise UserError("--things and --crops: expected one of them")
    subject = "masks" if things else "crops" if crops else "pictures"
    fit_classes(folder, fit.out, fit.model, fit.shapes, Wanted(subject, fit.licence, steps, fit.seed))


@app.command()
@grouped
def depth(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures with their depth, or one empty scene.")],
    *,
    hfov: Annotated[str | None, typer.Option(help="Horizontal field of view such as 74deg, of all pictures.")] = None,
    floor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y=RIGHT,AHEAD", help="A floor point: picture in 0..1 = metres on the floor; four times."
        ),
    ] = None,
    floor_area: Annotated[
        str | None, typer.Option(metavar="X,Y X,Y ...", help="Polygon of bare floor; default: between the four points.")
    ] = None,
    fit: Fit,
) -> None:
    """Metres along the optical axis.

    DIR/NAME.jpg with DIR/NAME.png or DIR/NAME.depth.png: 16 bit, millimetres, 0 where unknown. Or, with --floor four
    times, pictures of one camera's empty scene: the depth of its flat floor follows from four points of it. With --hfov
    the head serves cameras of other fields of view too. Few pictures are parted within, by columns.
    """
    from pipeline.cli.fitting.depth import Wanted, fit_metres
    from pipeline.cli.fitting.truths import parse_area, parse_mark

    check_out(fit.out)
    marks = tuple(parse_mark(text) for text in floor or [])
    wanted = Wanted(hfov, marks, parse_area(floor_area), fit.licence, fit.seed)
    fit_metres(folder, fit.out, fit.model, fit.shapes, wanted)


@app.command()
@grouped
def segment(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures with their masks.")],
    *,
    names: Annotated[Path | None, typer.Option(help="Classes, one a line; default: DIR/classes.txt.")] = None,
    steps: Steps = ITERATIONS,
    fit: Fit,
) -> None:
    """A class for each patch.

    DIR/NAME.jpg with DIR/NAME.png or DIR/NAME.mask.png: indices into the lines of classes.txt (from 0; 255: of no
    class), or colours, which the lines then name: `road #804080`. A line `- #e0e0e0` is of no class.
    """
    from pipeline.cli.fitting.segment import Wanted, fit_masks

    check_out(fit.out)
    fit_masks(folder, fit.out, fit.model, fit.shapes, Wanted(names, fit.licence, steps, fit.seed))
