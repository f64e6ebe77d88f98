"""Adds the program to the wheel, as a script, and names the platform that it runs on."""

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Program(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        program = os.environ["SERIAL_WS_PROGRAM"]
        build_data["shared_scripts"] = {program: os.path.basename(program)}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ['SERIAL_WS_PLATFORM']}"
