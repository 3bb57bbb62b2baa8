"""Definitions by concept; a check stands directly below its asset."""
