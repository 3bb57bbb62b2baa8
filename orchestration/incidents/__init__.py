"""What SQL cannot do for incidents: the events that people write down."""
