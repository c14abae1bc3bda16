"""Making latency tables, and checking them, by measuring whole networks."""
