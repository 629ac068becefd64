"""Files that rows refer to by SHA-256: taken in clean, kept by content, given to who may have them."""
