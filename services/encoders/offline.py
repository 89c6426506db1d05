"""Cut the model libraries off from the network: import this before any of them.

huggingface_hub reads the variable once, when it is imported. A checkpoint is a folder; fetching one is another
command's work.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
