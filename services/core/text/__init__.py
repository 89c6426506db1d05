"""What is known of the language of reports: sentences, what is denied, words as they are counted."""
