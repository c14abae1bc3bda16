"""How long models take: sessions, timed next to an anchor."""
