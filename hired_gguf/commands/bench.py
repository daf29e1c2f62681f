"""``hired-gguf bench``: how fast this machine is at each budget, beside stock llama-cpp-python."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from ..bench import chart
from ..bench.depth import depth_facts
from ..bench.machine import busy, machine, physical_cores
from ..bench.pair import Files, StandIn, given
from ..bench.pictures import default_picture, write_pictures
from ..bench.plan import Case, make_plan
from ..bench.predict import repetitions_in_time
from ..bench.report import make_report
from ..bench.results import Results
from ..bench.runner import Runner
from ..console import loading, option_groups
from ..console.option_sources import COMMAND_LINE
from ..console.result_options import check_results, save_json, write_results
from ..console.terminal import StatusLine, say
from ..console.usage import UsageError
from ..images.load import load_image
from ..model_files.mmproj import read_mmproj
from ..native.pair import check_pair_runs
from .bench_options import BUDGETS, BUDGETS_OF_TYPES, add_options
from .bench_status import BenchStatus

EXAMPLES = """\
examples:
  hired-gguf bench --quick
  hired-gguf bench --predict --model llava.gguf --mmproj mmproj.gguf
  hired-gguf bench --json results.json --markdown results.md
  hired-gguf bench --layers 4 --types q4_0,q4_k_m,q5_k_m,q6_k,q8_0
"""


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "bench",
        "measure the speed of each budget beside stock llama-cpp-python",
        "Measure stock llama-cpp-python and hired-gguf on the same files, one after the other, each in\n"
        "a process of its own: seconds by stage, memory, and ratios. Without a model, a pair of random\n"
        "weights in the shape of LLaVA-Next 7B (Q4_0) is made once, 4.5 GB in the cache folder; on two CPU\n"
        "cores the whole then takes about forty minutes, and minutes with --layers.",
        EXAMPLES,
    )
    option_groups.add_pair_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure. 1 if a part of it failed."""
    check_results(args)
    threads = args.threads or physical_cores()
    pictures = load_pictures(args)
    with StatusLine() as status, TemporaryDirectory(prefix="hired-gguf-bench-") as folder:
        files = files_of(args, threads, status)
        status.clear()
        plan = plan_of(args, files, pictures)
        facts = facts_of(args, files, pictures, threads)
        watcher = BenchStatus(status)
        images = write_pictures(Path(folder), pictures)
        runner = Runner(files, images, threads, args.gpu_layers, watcher, args.verbose > 0)
        results = Results(facts, plan, runner.probes())
        status.clear()
        if not args.predict:
            measure(args, runner, plan, results, watcher)
    document = results.document()
    write_results(args, document, "runs", make_report(document), chart.draw)
    return int(bool(results.failures))


def measure(
    args: argparse.Namespace, runner: Runner, plan: list[Case], results: Results, watcher: BenchStatus
) -> None:
    """Run the plan, and keep the file of results up to date."""
    repetitions = args.repeat or repetitions_in_time(results.probes, plan)
    watcher.start(plan, repetitions, results.probes)
    text_tokens = max(probe.text_tokens for probe in results.probes.values())
    for result in runner.run(plan, repetitions, text_tokens):
        results.add(result)
        watcher.note(result)
        save_json(args, results.document(), "runs")


def plan_of(args: argparse.Namespace, files: Files, pictures: list[Image.Image]) -> list[Case]:
    """What to measure. Raises BudgetError, and what `check_pair_runs` raises."""
    info = read_mmproj(files.mmproj)
    for text in files.texts.values():
        check_pair_runs(text, info, args.gpu_layers)
    budgets = args.budgets or (BUDGETS_OF_TYPES if args.types else BUDGETS)
    return make_plan(
        info,
        _sizes(pictures),
        budgets,
        args.second_image_budgets,
        stock=not args.skip_stock,
        types=list(files.texts),
    )


def facts_of(
    args: argparse.Namespace, files: Files, pictures: list[Image.Image], threads: int
) -> dict[str, Any]:
    """What opens the document. Says so if the machine is busy."""
    facts = {
        "command": args.command_line,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": [path.name for path in (*files.texts.values(), files.mmproj)],
        "depth": depth_facts(files.texts, _stand_in(args).whole) if args.layers else None,
        "image_sizes_hw": _sizes(pictures),
        "machine": machine(threads),
    }
    if warning := busy(facts["machine"]):
        say(warning)
    return facts


def load_pictures(args: argparse.Namespace) -> list[Image.Image]:
    """The two pictures. Raises ImageError."""
    given = enumerate((args.image, args.second_image), 1)
    return [load_image(path) if path else default_picture(number) for number, path in given]


def files_of(args: argparse.Namespace, threads: int, status: StatusLine) -> Files:
    """The files to measure. Raises UsageError, HiredError."""
    asked = [name for name in ("quick", "layers", "types") if getattr(args, name)]
    if asked and COMMAND_LINE in (args.origins["model"], args.origins["mmproj"]):
        raise UsageError(
            f"--{asked[0]} measures random weights of its own: leave it out, or --model and --mmproj"
        )
    if not asked and (args.model or args.mmproj):
        return given(*loading.model_pair(args))
    if args.types:
        return _stand_in(args).types(args.types, threads, say, status.show)
    return _stand_in(args).pair(say)


def _stand_in(args: argparse.Namespace) -> StandIn:
    return StandIn(args.quick, args.layers, args.gpu_layers)


def _sizes(pictures: list[Image.Image]) -> list[tuple[int, int]]:
    return [(picture.height, picture.width) for picture in pictures]
