"""What SQL cannot do about invoices: say what is found about them, once."""
