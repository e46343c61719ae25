"""Puts a node together. The only room that knows the adapters: one file for each part of the house."""
