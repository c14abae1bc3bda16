"""Published search spaces, one file each; ``hwnas.space`` knows them by name."""
