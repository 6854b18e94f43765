"""Raw documents → documents: cleaned, segmented, and without what is to be left out."""
