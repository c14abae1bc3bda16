"""The application as a library: a study of a space or supernet, and the front that it finds."""
