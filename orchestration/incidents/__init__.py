"""What SQL cannot do for incidents: the events that people write down, and the postmortem note.

events.py writes an event, states.py says what all of them add up to, finding.py says which incident or alert somebody meant;
view.py shows them and questions.py asks about them, for `make incident`; postmortem.py writes the note.
"""
