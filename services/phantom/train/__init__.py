"""Training and evaluation of the bundled encoders: ``python -m services.phantom.train --help``."""
