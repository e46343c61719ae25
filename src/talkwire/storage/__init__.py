"""Files' bytes in a process of their own: what it and the server say to each other, and its life."""
