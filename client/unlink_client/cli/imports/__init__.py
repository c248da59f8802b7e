"""Links of other products, from the files that those products write."""
