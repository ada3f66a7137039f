"""`python -m parity.experiments RESULTS FOLDER` writes the page of experiments."""

import sys
from pathlib import Path

from parity.experiments.page import write_page
from parity.results import Results

if len(sys.argv) != 3:
    sys.exit(__doc__)
print(write_page(Results(sys.argv[1]), Path(sys.argv[2])))
