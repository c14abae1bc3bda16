"""Layer latencies of a device: files, look-up, errors, corrections."""
