"""Links of other products, from the files that these products write."""
