"""What libraries below an encoder read from the environment once, when they load: import this before any of them."""

import os

# A checkpoint is a folder; fetching one is another command's work.
os.environ["HF_HUB_OFFLINE"] = "1"
# A thread that waits for its share of a forward pass sleeps. Spinning, as OpenMP does by default, takes the cores from
# films being decoded: on two busy cores the bundled encoders ran at 49 films a second spinning and at 190 asleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
