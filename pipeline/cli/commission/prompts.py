"""Setting up a camera without a browser: a picture with a grid, and a prompt that a person or a script answers."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from pipeline.cli.app import UserError
from pipeline.cli.commission.answers import USAGE, Answers
from pipeline.cli.commission.asked import LEARN, asked_of_words, span_of
from pipeline.cli.commission.draft import Draft
from pipeline.cli.commission.drive_ins import NOT_MEASURED, stop_rows
from pipeline.cli.commission.gridded import gridded, zoomed
from pipeline.cli.commission.overlay import advice, lines_shown, pose_shown
from pipeline.cli.commission.session import Answer, Session
from pipeline.cli.commission.step_state import Step, StepAsked
from pipeline.cli.commission.work import run_step
from pipeline.cli.pictures.lettering import save

_ASKED: tuple[tuple[Step, str], ...] = (
    (Step.POSE, "how it hangs: mark the floor or type it"),
    (Step.AREAS, "zones, lines, privacy"),
    (Step.DEPTH, "fit the depth head for this view now, some minutes? y or n"),
    (Step.EMPTY_VIEW, "learn the empty view now, with nobody in the picture? y or n"),
    (Step.DRIVE_IN, "drive-ins: `stop 3.5m NAME` once a vehicle stands there; an empty answer skips them"),
    (Step.FILE, "write the camera's file? y or n"),
)
_QUESTIONS = (Step.DEPTH, Step.EMPTY_VIEW, Step.FILE)
_MORE = {
    "zoom": "zoom X,Y      a fifth of the picture round that point, enlarged",
    "picture": "picture       a new picture from the camera",
    "undo": "undo          the last answer that changed something",
    "stop": "stop 3.5m NAME [LINE]   reads the vehicle that stands now with its body 3.5 m from the line",
    "forget": "forget NUMBER   takes a stop out again",
    "help": "help          these lines",
}


class Prompts:
    """Asks step by step; an empty answer goes on to the next step. Every verb is understood at every step."""

    def __init__(self, session: Session, folder: Path, answers: TextIO, out: TextIO) -> None:
        self._session = session
        self._folder = folder
        self._answers = answers
        self._out = out
        self._understood = Answers(session.size)
        self._earlier: list[Draft] = []
        self._is_over = False

    def run(self) -> None:
        """Until the file is written, or the last question is answered with no.

        Raises:
            UserError: an answer that came from a file or a pipe is wrong, or answers end before the last question.
        """
        self._say("points are in percent of the picture's width and height, such as 31.5,60, or in pixels: 202px,216px")
        self._help()
        self._draw()
        step = 0
        while step < len(_ASKED) and not self._is_over:
            name, question = _ASKED[step]
            answer = self._ask(question)
            try:
                step += self._answered(name, answer)
            except UserError as error:
                if not self._answers.isatty():
                    raise UserError(f"answer {answer!r}: {error}", error.exit_code) from None
                self._say(f"error: {error}")

    def _answered(self, step: Step, answer: str) -> int:
        """How many steps to go on."""
        if not answer:
            if step in _QUESTIONS:
                raise UserError("expected y or n")
            if step is Step.DRIVE_IN and self._session.teaching.metres is None:
                self._say(f"skipped: {NOT_MEASURED}")
            return 1
        verb = answer.split(maxsplit=1)[0]
        if step in _QUESTIONS and verb.lower() in {"y", "yes", "n", "no"}:
            return self._question(step, answer.split()[1:], is_yes=answer[0].lower() == "y")
        match verb:
            case "help":
                self._help()
            case "undo":
                self._undo()
            case "picture":
                self._session.take_picture()
                self._draw()
            case "zoom":
                self._zoom(answer.split()[1:])
            case "stop":
                self._long(asked_of_words(answer.split()[1:], self._session.line_names))
                self._stops()
            case "forget":
                self._forget(answer.split()[1:])
            case _:
                draft = self._understood.take(self._session.draft, answer)
                self._earlier.append(self._session.draft)
                self._redraw(draft)
        return 0

    def _question(self, step: Step, words: list[str], *, is_yes: bool) -> int:
        if len(words) > 1 or (words and (step is not Step.EMPTY_VIEW or ".." not in words[0])):
            raise UserError(f"expected y or n, or of a file the seconds without anybody, such as `{LEARN}`")
        if step is Step.FILE:
            if is_yes:
                self._save()
            self._is_over = True
        elif is_yes:
            self._long(StepAsked(step, span_of(*words[0].split("..", 1)) if words else None))
            self._say(self._session.steps[step].said)
        return 1

    def _long(self, asked: StepAsked) -> None:
        run_step(self._session, asked, self._told)
        state = self._session.steps[asked.step]
        if state.status == "failed":
            raise UserError(state.said, 1)

    def _stops(self) -> None:
        for row in stop_rows(self._session.teaching.metres):
            self._say(
                f"  stop {row.number}: {row.vehicle} at {row.known} from {row.line}: read {row.read}, off {row.off}, "
                f"jitter {row.scatter}"
            )
        self._say(self._session.steps[Step.DRIVE_IN].said)

    def _forget(self, words: list[str]) -> None:
        if len(words) != 1 or not words[0].isdigit():
            raise UserError(f"expected: {_MORE['forget']}")
        self._session.forget(int(words[0]))
        self._stops()

    def _save(self) -> None:
        saved = self._session.save()
        if saved.answer is Answer.ASK:
            self._say(saved.text)
            if self._ask("that file is there; change it like this? y or n").lower() not in {"y", "yes"}:
                return
            saved = self._session.save(may_replace=True)

    def _redraw(self, draft: Draft) -> None:
        self._session.redraw(draft)
        for step in (Step.POSE, Step.AREAS):
            self._say(self._session.steps[step].said)
        if self._session.posed.pose is not None:
            self._say(", ".join(pose_shown(self._session)))
        for name, shown in lines_shown(self._session).items():
            self._say(f"line {name}: {shown}")
        for text in advice(self._session.posed.pose):
            self._say(f"note: {text}")
        self._draw()

    def _undo(self) -> None:
        if not self._earlier:
            raise UserError("nothing to undo")
        self._redraw(self._earlier.pop())

    def _zoom(self, words: list[str]) -> None:
        if len(words) != 1:
            raise UserError(f"expected one point: {_MORE['zoom']}")
        path = save(self._folder / "zoom.png", zoomed(self._session.picture, self._understood.point(words[0])))
        self._say(f"enlarged: {path}")

    def _draw(self) -> None:
        canvas = gridded(self._session.picture, self._session.draft, self._session.floor)
        self._say(f"picture with a grid: {save(self._folder / 'grid.png', canvas)}")

    def _help(self) -> None:
        for line in (*USAGE.values(), *_MORE.values(), "an empty answer goes on"):
            self._say(f"  {line}")

    def _ask(self, question: str) -> str:
        self._out.write(f"{question}> ")
        self._out.flush()
        answer = self._answers.readline()
        if not answer:
            self._out.write("\n")
            raise UserError(f"the answers ended at: {question}")
        if not self._answers.isatty():
            self._say(answer.strip())
        return answer.strip()

    def _told(self, what: str, done: int, of: int) -> None:
        if of <= 10 or done % 20 == 0 or done == of:
            self._say(f"  {what}: {done} of {of}")

    def _say(self, text: str) -> None:
        self._out.write(text.rstrip("\n") + "\n")
        self._out.flush()
