"""Ask every question under every configuration, so that nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ..chat.answer import Answer
from ..context.visual_rows import Selector
from ..images.load import load_image
from ..images.sources import LoadedImage
from ..model import LlavaNext
from ..prompt.messages import QUESTION_PLACEHOLDER, check_question_template
from ..vision.encoding import EncodedImage, tiling_of
from .configuration import Configuration
from .layers import require_layers
from .outcome import Outcome, PictureResult
from .recall import all_kept, patches_of
from .results import Results
from .selectors import OtherAttention, OtherLayers, RandomTokens, attention_for, layers_needed
from .tasks import EvalPicture, count

#: Gets how many answers there are, and how many there will be.
OnAnswer = Callable[[int, int], None]


@dataclass(frozen=True)
class EvalSettings:
    """What is the same for all questions and configurations.

    ``seed`` draws the random tokens, an answer ends after ``max_tokens``, and ``template`` stands around each
    question, which goes where it says "{question}". Answers are greedy. Raises InputError.
    """

    seed: int = 0
    max_tokens: int = 32
    template: str = QUESTION_PLACEHOLDER
    system: str | None = None

    def __post_init__(self) -> None:
        check_question_template(self.template)


def evaluate(
    llm: LlavaNext,
    pictures: Sequence[EvalPicture],
    configurations: Sequence[Configuration],
    settings: EvalSettings | None = None,
    on_answer: OnAnswer | None = None,
) -> Results:
    """Ask all questions under all configurations. Raises what `ask` raises, ImageError, InputError."""
    results = Results(configurations)
    for result in answer_all(llm, pictures, configurations, settings, on_answer):
        results.add(result)
    return results


def answer_all(
    llm: LlavaNext,
    pictures: Sequence[EvalPicture],
    configurations: Sequence[Configuration],
    settings: EvalSettings | None = None,
    on_answer: OnAnswer | None = None,
) -> Iterator[PictureResult]:
    """`evaluate`, picture by picture: a picture is encoded once, and read once under a configuration.

    It is encoded once more if any configuration has other layers than the first and the last.
    """
    settings = settings or EvalSettings()
    require_layers((one.layers for one in configurations), llm.handler.info.executed_layers)
    done, total = 0, count(pictures) * len(configurations)
    for picture in pictures:
        image = LoadedImage(load_image(picture.load(), max_pixels=llm.handler.max_pixels))
        tiling = tiling_of(llm.handler.info, (image.image.height, image.image.width))
        needed = [patches_of(question.characters, tiling) for question in picture.questions]
        attention = attention_for(llm.handler, image, configurations)
        outcomes = []
        for configuration in configurations:
            row = []
            selector = selector_of(configuration, picture, settings.seed, attention)
            ask = partial(_ask, llm, image, configuration, settings, selector=selector)
            for question, patches in zip(picture.questions, needed, strict=True):
                answer = ask(question.text)
                outcome = Outcome.of(question, answer)
                if len(patches) and answer.selections:
                    outcome.answer_kept = all_kept(patches, answer.selections[0])
                row.append(outcome)
                done += 1
                if on_answer:
                    on_answer(done, total)
            outcomes.append(row)
        yield PictureResult(picture, outcomes, attention.encodings, attention.seconds)


def selector_of(
    configuration: Configuration, picture: EvalPicture, seed: int, attention: OtherAttention
) -> Selector:
    """What chooses the tokens. ``attention`` is the picture's."""
    random = RandomTokens(picture.name, seed) if configuration.baseline == "random" else None
    selector = random or EncodedImage.select_with
    if not (layers := layers_needed(configuration)):
        return selector
    allots, picks = (attention.by_layer[layer] for layer in layers)
    return OtherLayers(allots, picks, selector)


def _ask(
    llm: LlavaNext,
    image: LoadedImage,
    configuration: Configuration,
    settings: EvalSettings,
    question: str,
    *,
    selector: Selector,
) -> Answer:
    """One answer, with the numbers that it would have in a fresh context."""
    answer: Answer = llm.ask(
        image if configuration.shows_pictures else None,
        settings.template.replace(QUESTION_PLACEHOLDER, question),
        system=settings.system,
        max_tokens=settings.max_tokens,
        fresh=True,
        selector=selector,
        budget=configuration.token_budget,
    )
    return answer
