"""hwnas: the Pareto front of a pretrained supernet's subnets, measured on your device."""

__version__ = "0.1.0"
