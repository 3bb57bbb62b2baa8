"""What a team edits, checked before it is used: one module per subject, and every mistake is a sentence that names the line."""
