"""Evolution with integer genes, and the local searches that end it."""
