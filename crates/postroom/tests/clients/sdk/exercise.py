"""Microsoft's own Python SDK (PowerPlatform-Dataverse-Client): all its namespaces, synchronous and asynchronous."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
warnings.simplefilter("ignore", DeprecationWarning)

import asynchronous  # noqa: F401  each of these keeps its features
import batches  # noqa: F401
import frames  # noqa: F401
import queries  # noqa: F401
import records  # noqa: F401
import tables  # noqa: F401
from feature import main

main()
