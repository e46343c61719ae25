"""Past conversations: finding them, showing them again, and erasing what must be forgotten."""
