"""Read texts without meaning: fold, split and find their characters, words and sentences."""
