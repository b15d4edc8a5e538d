"""What the parts of a run tell each other, as data: events, effects and notices."""
