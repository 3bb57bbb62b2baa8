"""Prices: the catalogue, a team's overrides, and the price book that SQL joins to."""

from pricing.reference import Priced, price
from pricing.units import Usage

__all__ = ["Priced", "Usage", "price"]
