"""What can be swapped: one port.py in each folder, and its adapters beside it."""
