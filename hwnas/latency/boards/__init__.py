"""Devices on which hwnas is not installed: bundles, results, ssh."""
