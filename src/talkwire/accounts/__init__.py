"""Brands: an account, its properties (feature switches, limits), feature grants and service domains."""
