"""What readers open: one publication at a time, whole, with its exports and its documentation."""
