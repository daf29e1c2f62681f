"""``python -m hired_gguf`` is the command ``hired-gguf``."""

import sys

from .cli import main

sys.exit(main())
