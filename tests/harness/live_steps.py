"""Take `live_machine` through many steps.

python -m tests.harness.live_steps [--steps 10000] [--seed S]
"""

import argparse
import os
import random
import sys

import pytest

TEST = "tests/test_crash_live_machine.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    os.environ |= {"CRASH_STEPS": str(arguments.steps), "CRASH_SEED": str(seed)}
    return pytest.main(["-q", "-s", "-m", "slow", TEST])


if __name__ == "__main__":
    sys.exit(main())
