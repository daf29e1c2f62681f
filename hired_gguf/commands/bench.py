"""``hired-gguf bench``: how fast this machine is at each budget, beside stock llama-cpp-python."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from ..bench import chart
from ..bench.machine import busy, machine, physical_cores
from ..bench.pair import stand_in
from ..bench.pictures import default_picture, write_pictures
from ..bench.plan import make_plan
from ..bench.report import make_report
from ..bench.results import Results
from ..bench.runner import Runner
from ..console import loading, option_groups, option_types
from ..console.option_sources import COMMAND_LINE
from ..console.option_table import SHARED, add_shared
from ..console.result_options import add_result_options, check_results, save_json, write_results
from ..console.terminal import StatusLine, say
from ..console.usage import UsageError
from ..images.load import load_image
from ..model_files.mmproj import read_mmproj
from ..native.pair import check_pair_runs
from .bench_status import BenchStatus

BUDGETS = [1.0, 0.4, 0.2, 0.1, 0.05]
SECOND_IMAGE_BUDGETS = [0.2]
EXAMPLES = """\
examples:
  hired-gguf bench --quick
  hired-gguf bench --predict --model llava.gguf --mmproj mmproj.gguf
  hired-gguf bench --json results.json --markdown results.md
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
        "cores the whole then takes about half an hour.",
        EXAMPLES,
    )
    option_groups.add_pair_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to measure, and where it goes."""
    group = parser.add_argument_group("what to measure")
    add = group.add_argument
    add("--quick", action="store_true", help="a small pair of random weights, three repetitions: a minute")
    add("--predict", action="store_true", help="run only a short probe, and predict each budget by it")
    add("--skip-stock", action="store_true", help="measure hired-gguf alone, without ratios")
    add(
        "--budgets",
        type=option_types.budgets,
        default=BUDGETS,
        metavar="B,...",
        help=f"budgets of visual tokens (default: {','.join(map(str, BUDGETS))})",
    )
    add(
        "--second-image-budgets",
        type=option_types.budgets,
        default=SECOND_IMAGE_BUDGETS,
        metavar="B,...",
        help="budgets that are also measured on the second image, as stock is "
        f"(default: {','.join(map(str, SECOND_IMAGE_BUDGETS))})",
    )
    add(
        "--repeat",
        type=option_types.number(int, 1, 1000),
        metavar="N",
        help="repetitions of the whole plan (default: 1; 3 with --quick)",
    )
    for name, which in (("--image", "first picture, 672 x 672"), ("--second-image", "second, 672 x 336")):
        add(name, type=option_types.existing_file, metavar="FILE", help=f"{which} (default: clouds of noise)")
    add_shared(group, [SHARED["threads"]], "CPU threads of both engines (default: physical cores)")
    layers = "GPU layers of the language model in both engines, -1 for all (default: -1)"
    add_shared(group, [SHARED["gpu-layers"]], layers)
    add_result_options(parser, "up to date after each answer", "a chart of the seconds")


def run(args: argparse.Namespace) -> int:
    """Measure. 1 if a part of it failed."""
    check_results(args)
    pair = pair_of(args)
    info = read_mmproj(pair[1])
    check_pair_runs(pair[0], info, args.gpu_layers)
    pictures = load_pictures(args)
    sizes = [(picture.height, picture.width) for picture in pictures]
    plan = make_plan(info, sizes, args.budgets, args.second_image_budgets, not args.skip_stock)
    threads = args.threads or physical_cores()
    facts: dict[str, Any] = {
        "command": args.command_line,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": [path.name for path in pair],
        "image_sizes_hw": sizes,
        "machine": machine(threads),
    }
    if warning := busy(facts["machine"]):
        say(warning)
    with StatusLine() as status, TemporaryDirectory(prefix="hired-gguf-bench-") as folder:
        watcher = BenchStatus(status)
        images = write_pictures(Path(folder), pictures)
        runner = Runner(*pair, images, threads, args.gpu_layers, watcher, args.verbose > 0)
        results = Results(facts, plan, runner.probe())
        status.clear()
        if not args.predict:
            repetitions = args.repeat or (3 if args.quick else 1)
            watcher.start(plan, repetitions, results.probe)
            for result in runner.run(plan, repetitions, results.probe.text_tokens):
                results.add(result)
                watcher.note(result)
                save_json(args, results.document(), "runs")
    document = results.document()
    write_results(args, document, "runs", make_report(document), chart.draw)
    return int(bool(results.failures))


def load_pictures(args: argparse.Namespace) -> list[Image.Image]:
    """The two pictures. Raises ImageError."""
    given = enumerate((args.image, args.second_image), 1)
    return [load_image(path) if path else default_picture(number) for number, path in given]


def pair_of(args: argparse.Namespace) -> tuple[Path, Path]:
    """The pair to measure. Raises UsageError."""
    if args.quick and COMMAND_LINE in (args.origins["model"], args.origins["mmproj"]):
        raise UsageError("--quick brings a small pair of its own: leave it out, or --model and --mmproj")
    if not args.quick and (args.model or args.mmproj):
        return loading.model_pair(args)
    return stand_in(args.quick, args.gpu_layers, say)
