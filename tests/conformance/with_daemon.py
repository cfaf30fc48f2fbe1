#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command while analogd serves the shipped models at $ANALOGD_URL."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from harness import Daemon, TOP  # pylint: disable=wrong-import-position

REWARD_MODEL = os.path.join(TOP, "models", "wordmath-2m-prm")

with Daemon("--reward-model", REWARD_MODEL) as daemon:
    env = dict(os.environ, ANALOGD_URL=f"http://127.0.0.1:{daemon.port}/v1")
    status = subprocess.run(sys.argv[1:], env=env, check=False).returncode
sys.exit(status)
