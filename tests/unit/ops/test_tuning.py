"""What the process asks of the system."""

import subprocess
import sys

PROGRAM = """
import resource
from talkwire.ops.tuning import forbid_core_files
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
forbid_core_files()
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


def test_a_server_that_dies_leaves_no_core_file() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert done.stdout == "0\n"
